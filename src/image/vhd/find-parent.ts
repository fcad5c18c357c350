import { stat } from 'node:fs/promises';
import { throwIfAborted } from '../../base/abort.ts';
import { isError, type VhdvaultError } from '../../base/errors.ts';
import type { Finding } from '../../base/finding.ts';
import { equalBytes } from '../../base/hex.ts';
import { type ByteSource, openSource } from '../../io/source.ts';
import { findFooter } from './find-footer.ts';
import type { Layer, LocatorPath } from './layer.ts';
import { type Listed, lookUp } from './look-up.ts';
import { cycle, forbidden, missing, unnamed, wrong } from './parent-errors.ts';
import { foldersOf, isInside } from './parent-folders.ts';
import { parentPaths } from './parent-paths.ts';
import { isVhdName, openImageFile } from './recognise.ts';
import { formatUniqueId, isNullId } from './unique-id.ts';

export interface ParentSearch {
  child: Layer;
  /** Folders in which parents may lie, links resolved. */
  allowed: readonly string[];
  /** `device:inode` of the files of the chain so far. */
  visited: ReadonlySet<string>;
  /** The caller said that the image is a VHD. */
  told: boolean;
  signal?: AbortSignal | undefined;
}

/** Locators in the order of trust: relative paths survive a move, absolute ones do not; the last two are of old programs. */
const ORDER = ['W2ru', 'W2ku', 'MacX', 'Wi2r', 'Wi2k'];

/**
 * Opens the parent of a differencing image. Only files inside of allowed folders are opened, after symbolic links are
 * resolved: locators are data of strangers, and following them anywhere would disclose files of this host. Of several files
 * that could be the parent, the first one with the right unique id is.
 * @throws VHD_PARENT_MISSING, VHD_PARENT_WRONG, VHD_PARENT_FORBIDDEN, VHD_CHAIN, and what opening an image throws
 */
export async function openParent(search: ParentSearch): Promise<Layer> {
  const { child, allowed } = search;
  const expected = child.header!.parentUniqueId;
  if (isNullId(expected) && !search.told && !isVhdName(child.source.path)) throw unnamed(child);
  const tried: string[] = [];
  const refused = new Map<string, VhdvaultError>();
  const listed: Listed = new Map();
  for (const path of await candidates(child.source.path, names(child), allowed)) {
    throwIfAborted(search.signal);
    const { real, note, inOtherCase } = await lookUp(path, allowed, listed);
    tried.push(note === '' ? path : `${path} (${note})`);
    if (real === null || refused.has(real)) continue;
    const inside = allowed.some((folder) => isInside(folder, real));
    const reason = inside ? await mismatch(real, expected, search) : forbidden(child, { path, real, allowed });
    if (reason) {
      refused.set(real, reason);
      continue;
    }
    const parent = await openImageFile(real, isNullId(expected) ? 'raw' : 'vhd');
    return inOtherCase ? { ...parent, findings: [otherCase(child, path, real), ...parent.findings] } : parent;
  }
  throw worst([...refused.values()]) ?? missing(child, names(child), tried);
}

function names({ locators, header }: Layer): string[] {
  return storedNames(locators, header!.parentName);
}

/** What an image says where its parent is, in the order of trust. */
export function storedNames(locators: readonly LocatorPath[], parentName: string): string[] {
  const ordered = ORDER.flatMap((code) => locators.filter((locator) => locator.code === code));
  return [...ordered.map((locator) => locator.path ?? ''), parentName];
}

/** The paths at which the parent may lie that the image at `child` names so, the likeliest first. */
export async function candidates(
  child: string,
  names: readonly string[],
  allowed: readonly string[],
): Promise<string[]> {
  const own = await foldersOf(child);
  return [...new Set(names.flatMap((name) => parentPaths(name, { own, allowed })))];
}

/** Null when the file may be the parent; else why not. Only its footer is read. */
async function mismatch(path: string, expected: Uint8Array, search: ParentSearch): Promise<VhdvaultError | null> {
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile()) return wrong(search.child, path, 'not a file');
  const again = search.visited.has(`${stats.dev}:${stats.ino}`) ? cycle(search.child, path) : null;
  if (isNullId(expected)) return again;
  try {
    await using source = await openSource(path);
    const found = await idOf(source);
    if (found instanceof Uint8Array && equalBytes(found, expected)) return again;
    return wrong(search.child, path, found instanceof Uint8Array ? formatUniqueId(found) : found);
  } catch (error) {
    if (isError(error, 'NO_PERMISSION')) return error;
    throw error;
  }
}

/** The unique id in a file's footer, or what is there instead. */
async function idOf(source: ByteSource): Promise<Uint8Array | string> {
  try {
    return (await findFooter(source))?.footer.uniqueId ?? 'no VHD footer';
  } catch (error) {
    if (isError(error, 'VHD_FOOTER_CHECKSUM', 'VHD_FOOTER_FIELD', 'VHD_TRUNCATED')) return error.message;
    throw error;
  }
}

/** A file that cannot be read may be the right one, so it is told before one that is wrong. */
function worst(refused: readonly VhdvaultError[]): VhdvaultError | undefined {
  const codes = ['VHD_CHAIN', 'NO_PERMISSION', 'VHD_PARENT_WRONG', 'VHD_PARENT_FORBIDDEN'];
  return [...refused].sort((a, b) => codes.indexOf(a.code) - codes.indexOf(b.code))[0];
}

function otherCase(child: Layer, path: string, real: string): Finding {
  const what = `its parent is ${real}: only upper and lower case differ from ${path}, which Windows does not tell apart`;
  return { severity: 'info', code: 'VHD_PARENT_CASE', what, where: child.source.path, cure: '' };
}
