import { SECTOR } from '../../base/units.ts';
import { type TakenRange, UNALLOCATED } from '../vhd/bat.ts';
import { bitmapBytes, hasSector, setSector } from '../vhd/sector-bitmap.ts';
import type { Report } from './report.ts';

/** The stored blocks of a table, in the order of the file. */
export interface StoredBlocks {
  bat: Uint32Array;
  /** Numbers of blocks. */
  order: Uint32Array;
  blockSize: number;
  bitmapBytes: number;
  currentSize: number;
  /** A bit per block: it is not where a block can be. */
  faulty: Uint8Array;
}

export interface EntryBounds {
  tableOffset: number;
  blockSize: number;
  currentSize: number;
  limit: number;
  cut: boolean;
  taken: readonly TakenRange[];
}

const CURE = 'the block table is damaged; copy the image again from where it came';

/** Checks every entry: outside of the headers, inside of the file, no two overlapping. By one sort, so millions are fine. */
export function checkEntries(bat: Uint32Array, bounds: EntryBounds, report: Report): StoredBlocks {
  const { blockSize, currentSize, limit, cut } = bounds;
  const order = inFileOrder(bat);
  const faulty = new Uint8Array(Math.ceil(bat.length / 8));
  const blocks = { bat, order, blockSize, bitmapBytes: bitmapBytes(blockSize), currentSize, faulty };
  const wrong = (block: number, what: string): void => {
    if (hasSector(faulty, block)) return;
    setSector(faulty, block);
    const told = `the block table puts block ${block} at sector ${bat[block]}, which ${what}`;
    report.add('damage', 'VHD_BAT', { at: bounds.tableOffset + block * 4, what: told, found: bat[block]!, cure: CURE });
  };
  const truncated = (block: number, end: number): void => {
    setSector(faulty, block);
    const what = `block ${block} ends at byte ${end}, but the file at ${limit}, without a footer`;
    const cure = 'the file is truncated; copy the image again from where it came';
    const facts = { at: bounds.tableOffset + block * 4, what, expected: end, found: limit, cure };
    report.add('damage', 'VHD_TRUNCATED', facts);
  };
  for (const { start, end, name } of bounds.taken) {
    for (let i = firstAfter(blocks, start); i < order.length && bat[order[i]!]! * SECTOR < end; i++) {
      if (endOf(blocks, order[i]!) > start) wrong(order[i]!, `overlaps ${name}`);
    }
  }
  let before = -1;
  for (const block of order) {
    const end = endOf(blocks, block);
    if (before >= 0 && bat[block]! * SECTOR < endOf(blocks, before)) {
      wrong(block, `overlaps block ${before} at sector ${bat[before]}`);
    }
    before = block;
    if (end <= limit) continue;
    if (!cut) wrong(block, `ends at byte ${end}, beyond ${limit} where blocks must end`);
    else truncated(block, end);
  }
  return blocks;
}

/** Where a block ends in the file, as far as the disk reaches. */
export function endOf(
  { bat, blockSize, bitmapBytes, currentSize }: Omit<StoredBlocks, 'faulty'>,
  block: number,
): number {
  return bat[block]! * SECTOR + bitmapBytes + Math.min(blockSize, currentSize - block * blockSize);
}

/** The numbers of the stored blocks. Sorted only where needed: images that were written once are in order already. */
export function inFileOrder(bat: Uint32Array): Uint32Array {
  const order = new Uint32Array(bat.reduce((count, entry) => count + Number(entry !== UNALLOCATED), 0));
  let count = 0;
  let ascending = true;
  for (let block = 0; block < bat.length; block++) {
    if (bat[block] === UNALLOCATED) continue;
    if (count > 0 && bat[block]! < bat[order[count - 1]!]!) ascending = false;
    order[count++] = block;
  }
  return ascending ? order : order.sort((a, b) => bat[a]! - bat[b]! || a - b);
}

/** The index of the first block in the order of the file that could reach beyond `position`. */
function firstAfter({ bat, order, blockSize, bitmapBytes }: StoredBlocks, position: number): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (bat[order[middle]!]! * SECTOR + bitmapBytes + blockSize > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
