import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { ioError, isError, VhdvaultError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { fileIdentity } from '../io/file-identity.ts';
import { type ByteSource, openSource } from '../io/source.ts';
import { candidates } from './vhd/find-parent.ts';
import { type Listed, lookUp } from './vhd/look-up.ts';
import { allowedFolders, isInside } from './vhd/parent-folders.ts';
import { LEAST_CHILD, type ParentReference, readReference, referredNames } from './vhd/parent-reference.ts';
import { formatUniqueId, isNullId } from './vhd/unique-id.ts';

/** A differencing image that names another as its parent. */
export interface Child {
  /** Of its file, links resolved. */
  path: string;
  /** As `7af49fcb-...` */
  uniqueId: string;
}

/** An image that may be a parent. */
export interface PossibleParent {
  path: string;
  /** 16 bytes; null of a raw disk. */
  uniqueId: Uint8Array | null;
}

/**
 * The differencing images that name `image` as their parent: by its unique id, or, where it is raw, by its path. Looks at every
 * file in the image's folder, in the given folders, and in the folders directly in these; links to files are followed, links to
 * folders are not. Damaged images count, too, as long as they name their parent. One file is told once, never the image itself.
 * @throws NO_PERMISSION, IO for a folder, or a file named like a VHD, that cannot be read, since it may be a child; USAGE when
 * one of the folders is none; NOT_FOUND, CANCELLED
 */
export async function findChildren(
  image: PossibleParent,
  folders: readonly string[],
  options: Cancellable = {},
): Promise<Child[]> {
  const [children = []] = await findChildrenOfAll([image], folders, options);
  return children;
}

/** The children of each of several images that are none of these, in the folders of all of them, for the price of one. */
export async function findChildrenOfAll(
  images: readonly PossibleParent[],
  folders: readonly string[],
  { signal }: Cancellable = {},
): Promise<Child[][]> {
  throwIfAborted(signal);
  const parents = await Promise.all(images.map(async (image) => ({ ...image, file: await fileIdentity(image.path) })));
  const own = await Promise.all(images.map(({ path }) => allowedFolders(path, folders)));
  const search: Search = { parents, allowed: [...new Set(own.flat())], listed: new Map(), found: new Map() };
  const paths = await filesIn(search.allowed, signal);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < paths.length) {
      throwIfAborted(signal);
      await look(paths[next++]!, search);
    }
  };
  const stop = (): void => {
    next = paths.length;
  };
  const ends = await Promise.allSettled(Array.from({ length: LANES }, () => lane().finally(stop)));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return parents.map((parent) => childrenOf(parent, search));
}

/** Enough to keep all threads of the file system busy. */
const LANES = 16;
/** Folders that file systems make for themselves, and that only root can read. */
const OF_THE_FILE_SYSTEM = ['lost+found', '.Trashes', 'System Volume Information', '$RECYCLE.BIN'];
/** What `partPath` calls a file that is being written. */
const UNFINISHED = /^\..+\.[0-9a-f]{12}\.part$/;

type Parent = PossibleParent & { file: string };

interface Search {
  parents: readonly Parent[];
  /** Folders in which the parents of raw disks' children may lie. */
  allowed: readonly string[];
  listed: Listed;
  /** By `device:inode`: two names of one file are one child. */
  found: Map<string, Child & { parents: readonly Parent[] }>;
}

/** All files in folders and in the folders directly in these. */
async function filesIn(folders: readonly string[], signal: AbortSignal | undefined): Promise<string[]> {
  const files = new Set<string>();
  const below = new Set<string>();
  for (const folder of folders) await list(folder, files, below);
  for (const folder of folders) below.delete(folder);
  for (const folder of below) {
    throwIfAborted(signal);
    await list(folder, files).catch((error: unknown) => {
      if (!isError(error, 'NOT_FOUND')) throw error;
    });
  }
  return [...files].sort();
}

async function list(folder: string, files: Set<string>, below?: Set<string>): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    throw missed(ioError(error, 'looking for children in', folder));
  });
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !OF_THE_FILE_SYSTEM.includes(entry.name)) below?.add(path);
    const isFile = entry.isFile() || entry.isSymbolicLink();
    if (isFile && !UNFINISHED.test(entry.name)) files.add(path);
  }
}

async function look(path: string, search: Search): Promise<void> {
  try {
    const real = await realpath(path);
    const stats = await stat(real, { bigint: true });
    const file = `${stats.dev}:${stats.ino}`;
    if (!stats.isFile() || stats.size < LEAST_CHILD || search.parents.some((parent) => parent.file === file)) return;
    await using source = await openSource(real);
    const reference = await readReference(source);
    if (!reference) return;
    const parents = await namedBy(reference, source, search);
    const seen = search.found.get(file);
    if (parents.length === 0 || (seen && seen.path < real)) return;
    search.found.set(file, { path: real, uniqueId: formatUniqueId(reference.uniqueId), parents });
  } catch (error) {
    const failed = ioError(error, 'looking at', path);
    if (!isNoChild(failed, path)) throw missed(failed);
  }
}

/** What cannot be read may be a child, if its name says so; a raw disk that a stranger locked away next to it is none. */
function isNoChild(error: unknown, path: string): boolean {
  if (!isError(error, 'NOT_FOUND', 'NO_PERMISSION', 'IO')) return false;
  const { system = null } = error.details;
  if (error.code === 'NOT_FOUND' || system === 'ELOOP') return true;
  return !/vhd/i.test(basename(path)) && system !== 'EMFILE' && system !== 'ENFILE';
}

function missed(error: unknown): unknown {
  if (!isError(error, 'NO_PERMISSION')) return error;
  return new VhdvaultError(error.code, `${error.message}; it may hold a child`, {
    hint: 'run this as a user who may read it, or move it elsewhere if it does not belong to the chain',
    details: error.details,
    cause: error,
  });
}

async function namedBy(reference: ParentReference, source: ByteSource, search: Search): Promise<Parent[]> {
  const id = reference.parentUniqueId;
  if (!isNullId(id)) return search.parents.filter(({ uniqueId }) => uniqueId && equalBytes(uniqueId, id));
  const file = await fileNamed(await referredNames(source, reference), source.path, search);
  return search.parents.filter((parent) => parent.file === file);
}

/** The file that is opened as the parent where no unique id tells: the first at the paths that the image stores. */
async function fileNamed(names: readonly string[], child: string, { allowed, listed }: Search): Promise<string | null> {
  for (const path of await candidates(child, names, allowed)) {
    const { real } = await lookUp(path, allowed, listed);
    if (real === null || !allowed.some((folder) => isInside(folder, real))) continue;
    const stats = await stat(real, { bigint: true });
    if (stats.isFile()) return `${stats.dev}:${stats.ino}`;
  }
  return null;
}

function childrenOf(parent: Parent, { found }: Search): Child[] {
  const children = [...found.values()].filter(({ parents }) => parents.includes(parent));
  return children.map(({ path, uniqueId }) => ({ path, uniqueId })).sort((a, b) => (a.path < b.path ? -1 : 1));
}
