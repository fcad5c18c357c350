import { isUnreadable, type VhdvaultError } from '../base/errors.ts';
import { ID_BYTES, isZeroId, PAGE_BYTES } from '../disk/block-map.ts';
import { FRAME_KINDS } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import type { AddedSegment } from '../vault/vault.ts';
import type { PackFacts } from './pack-table.ts';
import type { PageMarks, ReachedPage } from './page-marks.ts';
import { type ReadOptions, readSegment } from './read-index.ts';

/** So many pages are read together, in the order in which they lie in their packs. */
const BATCH = 65_536;

export interface WalkOptions {
  reading: ReadOptions;
  /** The live segments, newest first: a map is mostly found in them from its root down. */
  segments: readonly AddedSegment[];
  pages: PageMarks;
  /** A block of a disk: where its id is in a leaf page. */
  onBlock: (page: DataView, at: number, owner: number) => void;
  /** A page that a map names and no pack holds, or that no copy gives. */
  onLost: (owner: number, problem: VhdvaultError | undefined) => void;
}

/**
 * Reads all pages that are waiting, and what they lead to: each distinct page once, whatever number of maps has it. Where a page
 * lies is not looked up: the segments go by, again and again, and each time all those are read whose place comes by.
 * @throws GC_BLOCKED, CANCELLED, and what `onLost` throws
 */
export async function walkMaps(options: WalkOptions): Promise<void> {
  const { reading, segments, pages, onLost } = options;
  const { vault } = reading;
  await using reader = new BlockReader(vault.store, vault.keys);
  const walk: Walk = { ...options, reader, problems: [] };
  for (let isStuck = false; pages.waiting > 0 && !isStuck; ) {
    isStuck = true;
    for (const added of segments) {
      // What a page of a segment leads to lies in the same one, as a rule.
      while (pages.waiting > 0 && (await readWaiting(walk, added)) > 0) isStuck = false;
    }
  }
  if (pages.waiting === 0) return;
  for (const owner of pages.waitingOwners())
    onLost(owner, walk.problems.find((problem) => problem.owner === owner)?.error);
}

interface Walk extends WalkOptions {
  reader: BlockReader;
  problems: { owner: number; error: VhdvaultError }[];
}

/** Returns how many pages were read. */
async function readWaiting(walk: Walk, added: AddedSegment): Promise<number> {
  const { pages } = walk;
  const { table } = walk.reading;
  let batch: WantedBlock[] = [];
  let read = 0;
  const holdsPages = (number: number): boolean => (table.packs[number] as PackFacts).holdsPages;
  for await (const { page, numbers } of readSegment({ ...walk.reading, wants: holdsPages }, added)) {
    for (let n = 0; n < page.count; n++) {
      if (page.kind(n) !== FRAME_KINDS.page || !pages.isWaiting(pages.find(page.view, page.at(n)))) continue;
      const { id, pack: ordinal, ...place } = page.entry(n);
      const number = numbers[ordinal] as number;
      if (number < 0 || !table.serves(number, place.ordinal)) continue;
      const pack = (table.packs[number] as PackFacts).name;
      batch.push({ id: id.slice(), location: { ...place, pack }, rawLength: PAGE_BYTES });
    }
    if (batch.length < BATCH) continue;
    read += await readBatch(walk, batch);
    batch = [];
  }
  return read + (await readBatch(walk, batch));
}

/** A bad frame fails the read of its neighbours: what did not come is read one by one. */
async function readBatch(walk: Walk, batch: readonly WantedBlock[]): Promise<number> {
  const { reader, pages } = walk;
  const { signal } = walk.reading;
  const missing = new Set(batch);
  let read = 0;
  const take = (block: WantedBlock, raw: Uint8Array): void => {
    missing.delete(block);
    const slot = pages.find(viewOf(block.id), 0);
    // Another copy of it came first.
    if (!pages.isWaiting(slot)) return;
    pages.setRead(slot);
    read++;
    takePage(walk, pages.facts(slot), raw);
  };
  const tryRead = async (blocks: readonly WantedBlock[]): Promise<VhdvaultError | undefined> => {
    try {
      await reader.read(blocks, (n, raw) => take(blocks[n] as WantedBlock, raw), signal);
      return undefined;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return error;
    }
  };
  if ((await tryRead(batch)) === undefined) return read;
  for (const block of missing) {
    const error = await tryRead([block]);
    const { owner } = pages.facts(pages.find(viewOf(block.id), 0));
    if (error && !walk.problems.some((problem) => problem.owner === owner)) walk.problems.push({ owner, error });
  }
  return read;
}

function takePage({ pages, onBlock, onLost }: WalkOptions, { level, owner }: ReachedPage, raw: Uint8Array): void {
  const view = viewOf(raw);
  for (let at = 0; at < PAGE_BYTES; at += ID_BYTES) {
    if (view.getUint32(at) === 0 && isZeroId(raw, at / ID_BYTES)) continue;
    if (level === 0) onBlock(view, at, owner);
    else {
      const slot = pages.find(view, at);
      if (slot < 0) onLost(owner, undefined);
      else pages.reach(slot, level - 1, owner);
    }
  }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
