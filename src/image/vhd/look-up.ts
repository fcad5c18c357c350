import { lstat, readdir, readlink, realpath } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { ioError, systemCode } from '../../base/errors.ts';
import { isInside } from './parent-folders.ts';

/** What is at a path. */
export interface LookedUp {
  /** The file, links resolved; null when there is none. */
  real: string | null;
  /** Why there is none, where more is known. */
  note: string;
  inOtherCase: boolean;
}

/** The names in folders that were listed, so that many paths are looked up at the price of one. */
export type Listed = Map<string, Promise<readonly string[]>>;

/**
 * Looks a path up as Windows would, which does not tell `Base.VHD` from `base.vhd`: as it is written, else the one that differs
 * in upper and lower case only. Only allowed folders are listed, so nothing is learnt of what lies outside.
 */
export async function lookUp(path: string, allowed: readonly string[], listed: Listed): Promise<LookedUp> {
  const exact = await resolved(path);
  const root = allowed.find((folder) => isInside(folder, path));
  if (exact.real !== null || exact.note !== '' || root === undefined) return exact;
  let at = root;
  const parts = relative(root, path).split(sep);
  for (const [i, part] of parts.entries()) {
    const folder = at;
    if (!allowed.some((one) => isInside(one, folder))) return await resolved(join(at, ...parts.slice(i)));
    const alike = await namesLike(part, folder, listed);
    if (alike.length > 1) return nothing(`several there differ in upper and lower case only: ${alike.join(', ')}`);
    if (alike.length === 0) return nothing();
    const next = await resolved(join(folder, alike[0]!));
    if (next.real === null) return next;
    at = next.real;
  }
  return { real: at, note: '', inOtherCase: true };
}

async function namesLike(name: string, folder: string, listed: Listed): Promise<readonly string[]> {
  // A folder that may be entered but not listed, or a file: the name as it is written was tried already.
  const listing = listed.get(folder) ?? readdir(folder).catch(() => []);
  listed.set(folder, listing);
  const all = await listing;
  if (all.includes(name)) return [name];
  const folded = fold(name);
  return all.filter((other) => fold(other) === folded);
}

/** macOS takes accents apart. */
function fold(name: string): string {
  return name.normalize('NFC').toLowerCase();
}

async function resolved(path: string): Promise<LookedUp> {
  try {
    return { real: await realpath(path), note: '', inOtherCase: false };
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (code === 'ENOENT') return nothing(await danglingNote(path));
    if (code === 'ELOOP') return nothing('links that lead in a circle');
    if (code === 'EACCES') return nothing('no permission to look there');
    if (['ENOTDIR', 'ENAMETOOLONG'].includes(code)) return nothing();
    throw ioError(error, 'looking for the parent', path);
  }
}

async function danglingNote(path: string): Promise<string> {
  const isLink = await lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
  if (!isLink) return '';
  const target = await readlink(path).catch(() => '');
  return `a link to ${resolve(dirname(path), target)}, which is not there`;
}

function nothing(note = ''): LookedUp {
  return { real: null, note, inOtherCase: false };
}
