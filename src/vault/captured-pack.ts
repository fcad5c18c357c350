import { isError } from '../base/errors.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { hashObject } from './hash-object.ts';
import { LARGEST } from './largest-object.ts';
import type { Store } from './open-store.ts';
import type { DirectoryEntry } from './pack/directory.ts';
import { openPack, packPath } from './pack/pack-reader.ts';

/** A pack that an interrupted run stored: no log entry adds it yet. */
export interface CapturedPack {
  name: string;
  size: number;
  entries: DirectoryEntry[];
}

/** What a pack says of itself, and whose it is (hex). undefined where it does not open, or has gone. @throws IO */
export async function readPackDirectory(
  store: Store,
  keys: VaultKeys,
  name: string,
): Promise<(CapturedPack & { job: string }) | undefined> {
  try {
    await using pack = await openPack(store, keys, packPath(name));
    return { name, size: pack.size, entries: await pack.directory(), job: pack.job };
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER')) return undefined;
    throw error;
  }
}

/**
 * What a job stored in one pack, from the pack's own sealed directory, every byte as its name tells: what made the run end
 * may have hurt it, and no point relies on it yet. Undefined where it is not there, not whole, or of
 * another job (J5), or cannot be read: it only proposes, and is stored again then.
 */
export async function readCapturedPack(options: {
  store: Store;
  keys: VaultKeys;
  /** Hex. */
  job: string;
  name: string;
}): Promise<CapturedPack | undefined> {
  const { store, keys, job, name } = options;
  try {
    await using pack = await openPack(store, keys, packPath(name));
    if (pack.job !== job || pack.size > LARGEST.pack || (await hashObject(store, packPath(name))) !== name)
      return undefined;
    return { name, size: pack.size, entries: await pack.directory() };
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER', 'IO', 'NO_PERMISSION')) return undefined;
    throw error;
  }
}
