import { absent, isError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import type { Vault } from '../vault/vault.ts';
import { entryHash, isAuthenticEntry, logEntryPath, sequenceName, sequencesIn } from '../vault/vault.ts';

/** The newest entry, which nobody can read: its number, and the hash of what lies there, hex. */
export interface BadEntry {
  sequence: number;
  hash: string;
}

/**
 * The newest entry of the log, if it is there and not authentic, both times that it is read (L6). What lies further back, is
 * missing or cannot be read is not for repair: what followed it would be lost with it.
 */
export async function findBadEntry(vault: Vault): Promise<BadEntry | undefined> {
  const { store, state, damage } = vault;
  const sequence = state.sequence + 1;
  const path = logEntryPath(sequence);
  if (!damage || damage.details.path !== path) return undefined;
  try {
    // A listing may leave names out: who follows directly is asked for by name.
    if ((await store.size(logEntryPath(sequence + 1))) !== undefined) return undefined;
    if ((await numbers(vault, 'log')).some((n) => n > sequence)) return undefined;
    const [one, other] = [await store.get(path), await store.get(path)];
    if (!equalBytes(one, other) || isAuthenticEntry(vault.keys, one, sequence)) return undefined;
    return { sequence, hash: toHex(entryHash(one)) };
  } catch (error) {
    if (isError(error, 'NOT_FOUND', 'IO', 'NO_PERMISSION')) return undefined;
    throw error;
  }
}

/** Moves it away, with the checkpoints that rest on it, and tells all others in its place. */
export async function setAside(vault: Vault, { sequence, hash }: BadEntry): Promise<void> {
  const { store } = vault;
  await store.makeFolder('quarantine');
  for (const n of (await numbers(vault, 'ckpt')).filter((n) => n >= sequence))
    await store.rename(`ckpt/${sequenceName(n)}`, `quarantine/ckpt-${sequenceName(n)}`);
  const aside = `quarantine/log-${sequenceName(sequence)}`;
  const now = await store.get(logEntryPath(sequence)).catch(absent);
  if (!now || toHex(entryHash(now)) !== hash) {
    await vault.refresh();
    return;
  }
  await store.rename(logEntryPath(sequence), aside);
  // Another repair was quicker, and this is the entry that it wrote in the place of the bad one.
  if (toHex(entryHash(await store.get(aside))) !== hash)
    await store.link(aside, logEntryPath(sequence)).catch(() => store.rename(aside, logEntryPath(sequence)));
  for (const folder of ['quarantine', 'ckpt', 'log']) await store.syncFolder(folder);
  await vault.refresh();
  await vault.commit(() => ({ type: 'set-aside', sequence, hash }));
}

/** Entries that an interrupted repair moved away and did not tell of. An authentic one was not moved by repair. */
export async function untoldEntries({ store, state, keys }: Vault): Promise<BadEntry[]> {
  const found: BadEntry[] = [];
  for (const name of await store.list('quarantine')) {
    const sequence = Number(/^log-(\d{20})$/.exec(name)?.[1]);
    if (!sequence) continue;
    const stored = await store.get(`quarantine/${name}`);
    const hash = toHex(entryHash(stored));
    if (isAuthenticEntry(keys, stored, sequence)) continue;
    if (!state.setAside.some((entry) => entry.sequence === sequence && entry.hash === hash))
      found.push({ sequence, hash });
  }
  return found;
}

async function numbers({ store }: Vault, folder: string): Promise<number[]> {
  return sequencesIn(await store.list(folder));
}
