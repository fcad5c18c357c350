import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { ioError, systemCode } from '../base/errors.ts';
import { discard, syncFile } from '../io/atomic-file.ts';
import { syncFolder } from '../io/folder.ts';
import { isThere } from '../io/is-there.ts';
import { writeFully } from '../io/write-fully.ts';

/*
 * While a merge is in its last steps, a file beside the child says so: NAME.merging. Its being there means that all of the
 * child is durable in its parent, as long as both are what their stamps say: not if one was written to since, or put back from
 * a backup. What is left to do: give the child's children the new parent, remove the child, remove this file.
 */
export interface MergeJournal {
  /** The path of the image that has it all now; in the file, from the child's folder on, so that both can be moved. */
  parent: string;
  /** What that is. */
  format: 'vhd' | 'raw';
  /** Of the child, when it was read. */
  stamp: string;
  /** Of the parent, when it had it all. */
  parentStamp: string;
}

export const ENDING = '.merging';

export async function writeJournal(child: string, journal: Omit<MergeJournal, 'parentStamp'>): Promise<void> {
  const path = child + ENDING;
  const parent = relative(dirname(child), journal.parent);
  // Their times too, which making data durable leaves out: after a power cut the stamps must still be true. Through a handle
  // for reading: the child may be removed by who must not write to it.
  for (const image of [child, journal.parent]) await syncFile(image, 'r');
  const told = { schema: 1, ...journal, parent, parentStamp: await stampOf(journal.parent) };
  const handle = await open(path, 'w').catch((error: unknown) => {
    throw ioError(error, 'creating', path);
  });
  try {
    await using _ = handle;
    // In place: half a journal is none, and a file of another name would be left by who is killed here.
    await writeFully(handle, path, 0, Buffer.from(`${JSON.stringify(told)}\n`));
    await handle.sync().catch((error: unknown) => {
      throw ioError(error, 'syncing', path);
    });
    await syncFolder(dirname(path));
  } catch (error) {
    await discard(path);
    throw error;
  }
}

/** Null where there is none, or none that anybody can read: then the merge begins again, which hurts nothing. */
export async function readJournal(child: string): Promise<MergeJournal | null> {
  const text = await readFile(child + ENDING, 'utf8').catch((error: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return '';
    throw ioError(error, 'reading', child + ENDING);
  });
  try {
    const { parent, format, stamp, parentStamp = '' } = JSON.parse(text) as Partial<MergeJournal>;
    if (typeof parent !== 'string' || typeof stamp !== 'string') return null;
    return { parent: resolve(dirname(child), parent), format: format === 'raw' ? 'raw' : 'vhd', stamp, parentStamp };
  } catch {
    return null;
  }
}

/** Tells whether all of the child is in its parent, and neither was written to since. */
export async function isMerged(child: string, parent: string): Promise<boolean> {
  const journal = await readJournal(child);
  if (journal?.parent !== parent || journal.stamp !== (await stampOf(child))) return false;
  return journal.parentStamp === (await stampOf(parent));
}

/** Changes when the file is written to or replaced; not when the machine is started again. */
export async function stampOf(path: string): Promise<string> {
  const { ino, size, mtimeNs } = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw ioError(error, 'looking at', path);
  });
  return `${ino}:${size}:${mtimeNs}`;
}

export async function dropJournal(child: string): Promise<void> {
  await rm(child + ENDING, { force: true }).catch((error: unknown) => {
    throw ioError(error, 'removing', child + ENDING);
  });
  await syncFolder(dirname(child));
}

/** Removes the journals of merges into `parent` whose children are gone already. */
export async function dropFinished(parent: string, folders: readonly string[]): Promise<void> {
  for (const folder of new Set(folders)) {
    for (const name of await readdir(folder)) {
      if (!name.endsWith(ENDING)) continue;
      const child = join(folder, name.slice(0, -ENDING.length));
      if ((await isThere(child)) || (await readJournal(child))?.parent !== parent) continue;
      await dropJournal(child);
    }
  }
}
