import { MIB } from '../base/units.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import type { Disk, ExtentKind } from '../disk/disk.ts';
import type { ScanDisk } from './scan-input.ts';

/** Bytes per read (at least a block), as many as a block of most VHDs: a call costs little, and each worker has two. */
export const CHUNK: number = 2 * MIB;

/** A run of blocks to read at once. */
export interface Run {
  first: number;
  blocks: number;
}

/** What is to be done with the blocks of a leaf page; those in neither list are zeros. */
export interface LeafPlan {
  /** In runs of at most CHUNK bytes, in order. */
  read: Run[];
  /** Blocks all of whose sectors lie in files that the base was read from: they are what they were, and are not read. */
  kept: number[];
}

/** What there is of a block. */
const BITS: Readonly<Record<ExtentKind, number>> = { data: 1, parent: 2, zero: 4 };

/** Which blocks of the leaf hold data, and which of them are known. */
export async function planLeaf(
  disk: Disk,
  leaf: number,
  { size, base, newLayers, blockSize }: Pick<ScanDisk, 'size' | 'base' | 'newLayers'> & { blockSize: number },
): Promise<LeafPlan> {
  const first = leaf * PAGE_IDS;
  const start = first * blockSize;
  const length = Math.min(PAGE_IDS * blockSize, size - start);
  const top = newLayers > 0 ? newLayers : Infinity;
  const extents = await Array.fromAsync(disk.extents(start, length, { top }));
  // As most leaves of a sparse disk are.
  if (extents.every(({ kind }) => kind === 'zero')) return { read: [], kept: [] };
  const found = new Uint8Array(PAGE_IDS);
  for (const { offset, length: bytes, kind } of extents) {
    const end = Math.ceil((offset + bytes - start) / blockSize);
    for (let n = Math.floor((offset - start) / blockSize); n < end; n++) found[n] = (found[n] as number) | BITS[kind];
  }
  // Zeros beside what is the parent's may be what a new image that is smaller cuts off: only whole blocks are known. Of a disk
  // that shrank within a block nothing tells that but the size.
  const cut = base && base.size > size ? Math.floor((size - start) / blockSize) : -1;
  const isKept = (n: number): boolean => found[n] === BITS.parent && n !== cut;
  const isRead = (n: number): boolean => ((found[n] as number) & (BITS.data | BITS.parent)) !== 0 && !isKept(n);
  const blocks = Array.from(found, (_, n) => n);
  return {
    read: runsOf(
      blocks.filter(isRead).map((n) => first + n),
      Math.max(1, Math.floor(CHUNK / blockSize)),
    ),
    kept: blocks.filter(isKept).map((n) => first + n),
  };
}

function runsOf(blocks: readonly number[], most: number): Run[] {
  const runs: Run[] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    if (run && run.first + run.blocks === block && run.blocks < most) run.blocks++;
    else runs.push({ first: block, blocks: 1 });
  }
  return runs;
}
