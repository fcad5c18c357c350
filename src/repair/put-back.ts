import { equalBytes, toHex } from '../base/hex.ts';
import { keptEntries } from '../cache/entry-copies.ts';
import { writeObject } from '../vault/open-store.ts';
import { readEntry } from '../vault/read-log.ts';
import {
  entryHash,
  isAuthenticEntry,
  logEntryPath,
  previousOfEntry,
  sequenceName,
  sequencesIn,
  type Vault,
} from '../vault/vault.ts';

/** An entry that is damaged in the vault, and the copy of it that this machine has. */
export interface KeptEntry {
  sequence: number;
  stored: Uint8Array;
}

/**
 * The entry that the log is damaged at, from the cache: authentic, and following the one before it; where there is a next one,
 * as that tells it. What is in the vault in its place cannot be read, or is missing.
 */
export async function findKeptEntry(vault: Vault, copies: string): Promise<KeptEntry | undefined> {
  const { store, keys, damage } = vault;
  const [sequence] = sequencesIn([String(damage?.details.path).replace('log/', '')]);
  const previous = sequence && (await vault.hashAt(sequence - 1));
  if (!sequence || !previous) return undefined;
  const there = await readEntry(store, sequence);
  const isWrong = there?.stored ? !isAuthenticEntry(keys, there.stored, sequence, previous) : !there?.trouble.unread;
  if (!isWrong) return undefined;
  const next = (await readEntry(store, sequence + 1))?.stored;
  const told = next && isAuthenticEntry(keys, next, sequence + 1) ? previousOfEntry(next) : undefined;
  const stored = (await keptEntries(copies, sequence)).find(
    (copy) => isAuthenticEntry(keys, copy, sequence, previous) && (!told || equalBytes(told, entryHash(copy))),
  );
  return stored && { sequence, stored };
}

/** In the place of what lies there, which goes to quarantine/ as well, so that at no moment there is none. */
export async function putEntryBack(vault: Vault, { sequence, stored }: KeptEntry): Promise<void> {
  const { store, random } = vault;
  const [path, aside] = [logEntryPath(sequence), `quarantine/log-${sequenceName(sequence)}`];
  const part = `staging/entry-${toHex(random.bytes(4))}`;
  await writeObject(store, part, stored);
  await store.makeFolder('quarantine');
  if ((await store.size(path)) !== undefined) {
    await store.remove(aside);
    // Where links are missing, nobody else writes.
    await store.link(path, aside).catch(() => store.rename(path, aside));
    await store.syncFolder('quarantine');
  }
  await store.rename(part, path);
  await store.syncFolder('log');
  await vault.refresh();
}
