import { isError, VhdvaultError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import { KEPT, keptEntry, newestKept } from '../cache/entry-copies.ts';
import { type Store, writeObject } from '../vault/open-store.ts';
import { readEntry } from '../vault/read-log.ts';
import {
  entryHash,
  isAuthenticEntry,
  logEntryPath,
  previousOfEntry,
  sequenceName,
  type Vault,
} from '../vault/vault.ts';

/** An entry that is damaged in the vault, and the copy of it that this machine has. */
export interface KeptEntry {
  sequence: number;
  stored: Uint8Array;
  /** What lies in its place; undefined: nothing. */
  bad: Uint8Array | undefined;
}

/**
 * Entries that are damaged and that this machine has a copy of. A copy counts if it has the hash that the entry after it tells, or,
 * of the newest one, the hash that this user saw last. What is missing counts only below others: else the log was cut, or an older
 * one put back.
 */
export async function findKeptEntries(
  { store, keys }: Vault,
  copies: string,
  seen: { sequence: number; hash: string } | undefined,
): Promise<KeptEntry[]> {
  const found: KeptEntry[] = [];
  const newest = await newestKept(copies);
  let told: string | undefined;
  let isBelow = false;
  for (let sequence = newest + 1; sequence > Math.max(0, newest - KEPT); sequence--) {
    const there = await bytesAt(store, sequence);
    isBelow ||= there !== 'missing';
    const hash = told ?? (seen?.sequence === sequence ? seen.hash : undefined);
    let whole: Uint8Array | undefined;
    if (there instanceof Uint8Array && isAuthenticEntry(keys, there, sequence)) whole = there;
    else if (there !== 'unread' && isBelow && hash !== undefined) {
      whole = await keptEntry(copies, sequence, hash);
      if (whole) found.push({ sequence, stored: whole, bad: there === 'missing' ? undefined : there });
    }
    told = whole && toHex(previousOfEntry(whole));
  }
  return found;
}

/**
 * In the place of what lies there, which is copied to quarantine/ first; at no moment is there nothing, unless it is a folder. False where something else
 * lies there by now, or `isHeld` tells that another repair took over.
 */
export async function putEntryBack(
  { store, keys, random, config }: Vault,
  { sequence, stored, bad }: KeptEntry,
  isHeld: () => Promise<boolean>,
): Promise<boolean> {
  const path = logEntryPath(sequence);
  if (bad) {
    await store.makeFolder('quarantine');
    const aside = `quarantine/log-${sequenceName(sequence)}-${toHex(entryHash(bad)).slice(0, 16)}`;
    await store.remove(aside);
    await writeObject(store, aside, bad);
  }
  const part = `staging/entry-${toHex(random.bytes(4))}`;
  await writeObject(store, part, stored);
  try {
    const there = await bytesAt(store, sequence);
    const isSame = bad ? there instanceof Uint8Array && equalBytes(there, bad) : there === 'missing';
    if (!isSame) return false;
    if (!(await isHeld())) throw takenForDead();
    await store.rename(part, path).catch(async (error: unknown) => {
      if (!isError(error, 'IO') || error.details.system !== 'EISDIR') throw error;
      await store.rename(path, `quarantine/folder-${sequenceName(sequence)}-${toHex(random.bytes(4))}`);
      // In this moment another one may take the number.
      if (config.singleWriter) await store.rename(part, path);
      else await store.link(part, path);
    });
    await store.syncFolder('log');
    const now = await bytesAt(store, sequence);
    if (now instanceof Uint8Array && equalBytes(now, stored)) return true;
    if (now instanceof Uint8Array && isAuthenticEntry(keys, now, sequence)) return false;
    throw notAsWritten(path);
  } finally {
    await store.remove(part).catch(() => undefined);
  }
}

function takenForDead(): VhdvaultError {
  return new VhdvaultError('ITEM_LOCKED', 'another repair, or a gc, took this one for dead', {
    hint: 'run it again when the other one has ended; nothing is lost',
  });
}

function notAsWritten(path: string): VhdvaultError {
  return new VhdvaultError('IO', `${path} was put back, and does not read as it was written`, {
    hint: 'check the disk of the vault, then run `vhdvault repair` again: this machine keeps its copy',
    details: { path },
  });
}

/** `unread`: it cannot be read, or is no file of an entry's size. */
async function bytesAt(store: Store, sequence: number): Promise<Uint8Array | 'missing' | 'unread'> {
  const there = await readEntry(store, sequence);
  if (!there) return 'missing';
  if (there.stored) return there.stored;
  return there.trouble.unread === null && (await store.size(logEntryPath(sequence))) === 0
    ? new Uint8Array(0)
    : 'unread';
}
