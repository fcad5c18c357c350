import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { logPath, MAX_ENTRY } from './log/entry.ts';
import { sequencesIn } from './log/sequence.ts';
import type { Store } from './open-store.ts';
import { type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';

/** An entry as it is stored, or why it is not to be had; `until`: so are all up to this one. */
export type StoredEntry =
  | { sequence: number; stored: Uint8Array; trouble?: undefined }
  | { sequence: number; stored?: undefined; until: number; trouble: Trouble };

/** All entries, from the first one on or from `from`, also those behind a gap. Nothing in them is checked. */
export async function* readLog(
  store: Store,
  { from = 1, signal }: { from?: number; signal?: AbortSignal | undefined } = {},
): AsyncGenerator<StoredEntry> {
  for (let sequence = from; ; sequence++) {
    throwIfAborted(signal);
    let entry = await readEntry(store, sequence);
    if (!entry) {
      const next = await firstListed(store, sequence);
      if (next === undefined) return;
      // Another run may have added it in this moment.
      if (next === sequence) entry = await readEntry(store, sequence);
      const until = Math.max(sequence, next - 1);
      entry ??= { sequence, until, trouble: wrongBytes(`is missing while entry ${next} is there`) };
    }
    yield entry;
    if (!entry.trouble) continue;
    sequence = entry.until;
    // Where nothing can be read, each number fails, also those that no entry has.
    if ((await firstListed(store, sequence + 1)) === undefined) return;
  }
}

/** The size is looked at first: what lies there may be of any size, and no file at all. */
export async function readEntry(store: Store, sequence: number): Promise<StoredEntry | undefined> {
  const path = logPath(sequence);
  try {
    const size = await store.size(path);
    if (size === undefined) return undefined;
    if (size > 0 && size <= MAX_ENTRY) return { sequence, stored: await store.get(path) };
    return { sequence, until: sequence, trouble: await wrongSize(store, path, size) };
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    return { sequence, until: sequence, trouble: troubleOf(error, path) };
  }
}

/** The lowest number from `least` on in the listing, which only proposes. */
async function firstListed(store: Store, least: number): Promise<number | undefined> {
  return sequencesIn(await store.list('log')).find((n) => n >= least && Number.isSafeInteger(n));
}
