import { openSegment, type SegmentEntry, type SegmentPack, segmentPath } from './block-index.ts';
import { hashObject } from './hash-object.ts';
import { joinTroubles, type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';
import type { Adds, Vault } from './vault.ts';

/** Takes what a segment holds: its packs once, then its entries. */
export interface SegmentSink {
  packs(packs: readonly SegmentPack[]): void;
  entries(entries: readonly SegmentEntry[]): void;
}

/**
 * Checks a segment whole and hands over all of it that can be read, as look-ups would find it; returns what is wrong with
 * it.
 */
export async function checkSegment(
  vault: Vault,
  { segment: name, size }: Adds,
  sink: SegmentSink,
): Promise<Trouble | undefined> {
  const { store } = vault;
  const path = segmentPath(name);
  const troubles: Trouble[] = [];
  const add = (error: unknown): void => void troubles.push(troubleOf(error, path));
  try {
    const found = await store.size(path);
    if (found !== size) return await wrongSize(store, path, found, `, expected ${size}`);
    const hash = await hashObject(store, path).catch(add);
    if (hash !== undefined && hash !== name) troubles.push(wrongBytes('does not have the bytes that its name tells'));
    await readEntries(vault, path, sink, add);
  } catch (error) {
    add(error);
  }
  return troubles.length > 0 ? joinTroubles(troubles) : undefined;
}

async function readEntries(
  { store, keys }: Vault,
  path: string,
  sink: SegmentSink,
  onTrouble: (error: unknown) => void,
): Promise<void> {
  await using segment = await openSegment(store, keys, path);
  sink.packs(segment.packs);
  let lost = 0;
  const onLost = (error: unknown): void => {
    if (lost++ === 0) onTrouble(error);
  };
  for await (const entries of segment.pages(onLost)) sink.entries(entries);
}
