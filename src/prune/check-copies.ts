import { isUnreadable } from '../base/errors.ts';
import { ID_BYTES, PAGE_BYTES } from '../disk/block-map.ts';
import { FRAME_KINDS, type SegmentPage } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import type { AddedSegment, Vault } from '../vault/vault.ts';
import { whileOthersMove } from './moved-on.ts';
import type { PackFacts, PackTable } from './pack-table.ts';
import { type ReadOptions, readSegments, type Stoppable } from './read-index.ts';
import { SortedIds } from './sorted-ids.ts';

/** Copies are read so many at a time, in the order in which they lie in their packs. */
const BATCH = 1024;
/** Blocks whose copies are looked at together; their ids are held. */
const MOST_IDS = 1_000_000;

/**
 * Of these packs, those whose blocks that are needed and not kept in them are seen to be elsewhere (D3): each kept copy was read, by
 * its whole id, and is what that says.
 * @throws GC_BLOCKED, CANCELLED
 */
export async function withGoodCopies(
  { vault, table, signal }: { vault: Vault; table: PackTable } & Stoppable,
  numbers: readonly number[],
): Promise<number[]> {
  const good = new Set(numbers.filter((number) => table.packs[number]?.doubled === 0));
  const doubled = numbers.filter((number) => !good.has(number));
  for (const some of together(table, doubled))
    for (const number of await whileOthersMove(vault, () => checkTogether({ vault, table, signal }, some)))
      good.add(number);
  return numbers.filter((number) => good.has(number));
}

function together({ packs }: PackTable, numbers: readonly number[]): number[][] {
  const groups: number[][] = [];
  let [open, ids] = [[] as number[], 0];
  for (const number of numbers) {
    const { doubled } = packs[number] as PackFacts;
    if (open.length > 0 && ids + doubled > MOST_IDS) {
      groups.push(open);
      [open, ids] = [[], 0];
    }
    open.push(number);
    ids += doubled;
  }
  return open.length > 0 ? [...groups, open] : groups;
}

async function checkTogether(reading: ReadOptions, numbers: readonly number[]): Promise<number[]> {
  const segments = [...reading.vault.state.segments];
  const ids = await doubledIds(reading, segments, numbers);
  await readKept(reading, segments, ids);
  const bad = new Set<number>();
  await forDoubled(reading, segments, numbers, (page, n, number) => {
    if (!ids.isSeen(page.id(n))) bad.add(number);
  });
  return numbers.filter((number) => !bad.has(number));
}

async function forDoubled(
  reading: ReadOptions,
  segments: readonly AddedSegment[],
  numbers: readonly number[],
  visit: (page: SegmentPage, n: number, number: number) => void,
): Promise<void> {
  const chosen = new Set(numbers);
  const wants = (number: number): boolean => chosen.has(number);
  for await (const { page, numbers: packs } of readSegments({ ...reading, wants }, segments)) {
    for (let n = 0; n < page.count; n++) {
      const number = packs[page.pack(n)] as number;
      if (chosen.has(number) && reading.table.isDoubled(number, page.ordinal(n))) visit(page, n, number);
    }
  }
}

async function doubledIds(
  reading: ReadOptions,
  segments: readonly AddedSegment[],
  numbers: readonly number[],
): Promise<SortedIds> {
  const count = numbers.reduce((sum, number) => sum + (reading.table.packs[number] as PackFacts).doubled, 0);
  const ids = new Uint8Array(count * ID_BYTES);
  let at = 0;
  await forDoubled(reading, segments, numbers, (page, n) => {
    ids.set(page.id(n), at);
    at += ID_BYTES;
  });
  return new SortedIds(ids.subarray(0, at));
}

/** Reads the kept copies of the ids, and notes which of them are good. */
async function readKept(reading: ReadOptions, segments: readonly AddedSegment[], ids: SortedIds): Promise<void> {
  const { vault, table, signal } = reading;
  await using reader = new BlockReader(vault.store, vault.keys);
  let batch: WantedBlock[] = [];
  const read = async (some: readonly WantedBlock[]): Promise<void> => {
    try {
      await reader.read(some, (n) => ids.see((some[n] as WantedBlock).id), signal);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
    }
  };
  const flush = async (): Promise<void> => {
    const blocks = batch;
    batch = [];
    await read(blocks);
    // One bad frame fails the read of its neighbours.
    for (const block of blocks) if (!ids.isSeen(block.id)) await read([block]);
  };
  for await (const { page, numbers } of readSegments(reading, segments)) {
    for (let n = 0; n < page.count; n++) {
      const number = numbers[page.pack(n)] as number;
      const isCopy = number >= 0 && table.isUsable(number) && table.isKept(number, page.ordinal(n));
      if (!isCopy || !ids.has(page.id(n))) continue;
      const { id, pack: _, ...place } = page.entry(n);
      const rawLength = place.kind === FRAME_KINDS.page ? PAGE_BYTES : vault.config.blockSize;
      batch.push({ id: id.slice(), location: { ...place, pack: (table.packs[number] as PackFacts).name }, rawLength });
      if (batch.length === BATCH) await flush();
    }
  }
  await flush();
}
