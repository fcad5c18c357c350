import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { ioError, isError, systemCode, VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import { type ByteSource, openSource } from '../../io/source.ts';
import { findFooter } from './find-footer.ts';
import type { Layer } from './layer.ts';
import { parentPaths } from './parent-paths.ts';
import { isVhdName, openImageFile } from './recognise.ts';
import { formatUniqueId, isNullId } from './unique-id.ts';

export interface ParentSearch {
  child: Layer;
  /** Folders besides the child's own. */
  parentRoots: readonly string[];
  /** `device:inode` of the files of the chain so far. */
  visited: ReadonlySet<string>;
  /** The caller said that the image is a VHD. */
  told: boolean;
  signal?: AbortSignal | undefined;
}

/** Locators in the order of trust: relative paths survive a move, absolute ones do not. */
const ORDER = ['W2ru', 'W2ku', 'MacX'];

/**
 * Opens the parent of a differencing image. Only files inside of the child's folder or of a given root are opened, after
 * symbolic links are resolved: locators are data of strangers, and following them anywhere would disclose files of this host.
 * @throws VHD_PARENT_MISSING, VHD_PARENT_WRONG, VHD_PARENT_FORBIDDEN, VHD_CHAIN, and what opening an image throws
 */
export async function openParent(search: ParentSearch): Promise<Layer> {
  const { child } = search;
  const expected = child.header!.parentUniqueId;
  if (isNullId(expected) && !search.told && !isVhdName(child.source.path)) throw unnamed(child);
  const roots = await realFolders(child.source.path, search.parentRoots);
  const tried: string[] = [];
  const refused: VhdvaultError[] = [];
  for (const path of candidates(child, roots)) {
    throwIfAborted(search.signal);
    tried.push(path);
    const real = (await existing(path)) ?? (await inOtherCase(path, roots));
    if (real === null) continue;
    if (!roots.some((root) => isInside(root, real))) {
      refused.push(forbidden(child, path, roots));
      continue;
    }
    const wrong = await mismatch(real, expected, search);
    if (wrong === null) return await openImageFile(real, isNullId(expected) ? 'raw' : 'vhd');
    refused.push(wrong);
  }
  throw worst(refused) ?? missing(child, tried);
}

function candidates(child: Layer, roots: readonly string[]): string[] {
  const texts = ORDER.flatMap((code) => child.locators.filter((locator) => locator.code === code));
  const names = [...texts.map((locator) => locator.path ?? ''), child.header!.parentName];
  return [...new Set(names.flatMap((name) => parentPaths(name, roots)))];
}

async function realFolders(childPath: string, parentRoots: readonly string[]): Promise<string[]> {
  const own = dirname(await realpath(childPath));
  const given = parentRoots.map((root) =>
    realpath(root).catch((error: unknown) => {
      throw ioError(error, 'opening the parent folder', root);
    }),
  );
  return [...new Set([own, ...(await Promise.all(given))])];
}

async function existing(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG', 'EACCES'].includes(systemCode(error) ?? '')) return null;
    throw ioError(error, 'looking for the parent', path);
  }
}

/** Windows does not tell `Base.VHD` from `base.vhd`, so neither do the locators that it writes. */
async function inOtherCase(path: string, roots: readonly string[]): Promise<string | null> {
  const folder = await existing(dirname(path));
  if (folder === null || !roots.some((root) => root === folder || isInside(root, folder))) return null;
  const name = basename(path).toLowerCase();
  const names = await readdir(folder).catch(() => []);
  const alike = names.filter((other) => other.toLowerCase() === name);
  return alike.length === 1 ? await existing(join(folder, alike[0]!)) : null;
}

function isInside(root: string, path: string): boolean {
  return path.startsWith(root.endsWith(sep) ? root : root + sep);
}

/** Null when the file may be the parent; else why not. Only its footer is read. */
async function mismatch(path: string, expected: Uint8Array, search: ParentSearch): Promise<VhdvaultError | null> {
  const stats = await stat(path, { bigint: true });
  if (!stats.isFile()) return wrong(search.child, path, expected, 'not a file');
  const again = search.visited.has(`${stats.dev}:${stats.ino}`);
  if (isNullId(expected)) return again ? cycle(search.child, path) : null;
  await using source = await openSource(path);
  const found = await idOf(source);
  if (found instanceof Uint8Array && equalBytes(found, expected)) return again ? cycle(search.child, path) : null;
  return wrong(search.child, path, expected, found instanceof Uint8Array ? formatUniqueId(found) : found);
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

function worst(refused: readonly VhdvaultError[]): VhdvaultError | undefined {
  const codes = ['VHD_CHAIN', 'VHD_PARENT_WRONG', 'VHD_PARENT_FORBIDDEN'];
  return [...refused].sort((a, b) => codes.indexOf(a.code) - codes.indexOf(b.code))[0];
}

function idText(id: Uint8Array): string {
  return isNullId(id) ? '(none: a raw file)' : formatUniqueId(id);
}

function wrong(child: Layer, path: string, expected: Uint8Array, found: string): VhdvaultError {
  const id = idText(expected);
  const message = `${path} is not the parent of ${child.source.path}: its unique id is ${found}, expected ${id}`;
  return new VhdvaultError('VHD_PARENT_WRONG', message, {
    hint: 'put the right parent beside the image, or name its folder with --parent-root',
    details: { path, child: child.source.path, expected: id, found },
  });
}

function forbidden(child: Layer, path: string, roots: readonly string[]): VhdvaultError {
  const message = `the parent of ${child.source.path} would be ${path}, outside of ${roots.join(', ')}`;
  return new VhdvaultError('VHD_PARENT_FORBIDDEN', message, {
    hint: 'if that is the right file, name its real folder with --parent-root',
    details: { path, child: child.source.path, expected: roots.join(', '), found: path },
  });
}

/** Otherwise the guest of a raw disk could write a footer into its last sector and read its neighbours' raw disks. */
function unnamed(child: Layer): VhdvaultError {
  const { path } = child.source;
  return new VhdvaultError('VHD_PARENT_FORBIDDEN', `${path} asks for a raw file as its parent, but is not named .vhd`, {
    hint: 'use --format vhd if it really is a differencing VHD, --format raw if it is a raw disk',
    details: { path },
  });
}

function cycle(child: Layer, path: string): VhdvaultError {
  return new VhdvaultError('VHD_CHAIN', `${path} is both a descendant and the parent of ${child.source.path}`, {
    hint: 'the chain of parents runs in a circle; copy the images again from where they came',
    details: { path, child: child.source.path },
  });
}

function missing(child: Layer, tried: readonly string[]): VhdvaultError {
  const { parentName, parentUniqueId } = child.header!;
  const id = idText(parentUniqueId);
  const places = tried.length === 0 ? 'it names no path' : `tried ${tried.join(', ')}`;
  const message = `the parent of ${child.source.path} (${parentName || 'unnamed'}, unique id ${id}) is missing: ${places}`;
  return new VhdvaultError('VHD_PARENT_MISSING', message, {
    hint: 'put the parent beside the image, or name its folder with --parent-root',
    details: { path: child.source.path, expected: id, tried: tried.join('\n'), found: null },
  });
}
