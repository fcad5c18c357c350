import type { Change, ChangeRun } from './changed-map.ts';

/** A range of a disk, in bytes. */
export interface ByteRange {
  offset: number;
  length: number;
}

export type PerChange = Record<Change, number>;

/** What the runs of a comparison come to. */
export interface ChangeTally {
  /** What differs, in order, neighbours joined; the last block is clipped to the disk. */
  ranges: ByteRange[];
  blocks: PerChange;
  bytes: PerChange;
  /** Shares (0 to 1) that differ, of as many equal slices of the disk as were asked for. */
  strip: number[];
  /** Of each cell the shares of every fate; what is missing to 1 is zero on both sides. */
  cells: PerChange[];
}

export interface TallyOptions {
  /** Bytes that are compared: of the larger disk. */
  size: number;
  blockSize: number;
  slices: number;
  /** At most so many cells; none without. */
  cells?: number | undefined;
}

/** Takes runs in order, and adds them up. */
export function createTally(options: TallyOptions): { add(run: ChangeRun): void; result(): ChangeTally } {
  const { size, blockSize, slices, cells = 0 } = options;
  const total = Math.ceil(size / blockSize);
  const cellBlocks = blocksPerCell(total, cells);
  const strip = new Float64Array(slices);
  const rows = cells > 0 ? perChange(() => new Float64Array(Math.ceil(total / cellBlocks))) : undefined;
  const [ranges, blocks, bytes]: [ByteRange[], PerChange, PerChange] = [[], perChange(() => 0), perChange(() => 0)];
  return {
    add({ block, blocks: count, change }) {
      const offset = block * blockSize;
      const length = Math.min(size, offset + count * blockSize) - offset;
      blocks[change] += count;
      bytes[change] += length;
      if (rows) spread(rows[change], cellBlocks, block, count);
      if (change === 'kept') return;
      // Scaled by the number of slices, so that all borders are whole numbers and a full slice is exactly 1.
      spread(strip, total, block * slices, count * slices);
      const last = ranges.at(-1);
      if (last && last.offset + last.length === offset) last.length += length;
      else ranges.push({ offset, length });
    },
    result: () => ({
      ...{ ranges, blocks, bytes },
      strip: Array.from(strip, (sum) => sum / total),
      cells: rows ? cellShares(rows, cellBlocks, total) : [],
    }),
  };
}

/** A power of two, so that the cells of a picture begin at round offsets. */
export function blocksPerCell(total: number, cells: number): number {
  let blocks = 1;
  while (cells > 0 && blocks * cells < total) blocks *= 2;
  return blocks;
}

function perChange<T>(make: () => T): Record<Change, T> {
  return { rewritten: make(), added: make(), removed: make(), kept: make() };
}

/** Adds to each slice of `width` as much of the range as lies in it. */
function spread(sums: Float64Array, width: number, start: number, length: number): void {
  const end = start + length;
  for (let n = Math.floor(start / width); n * width < end; n++) {
    sums[n]! += Math.min(end, (n + 1) * width) - Math.max(start, n * width);
  }
}

function cellShares(rows: Record<Change, Float64Array>, width: number, total: number): PerChange[] {
  const { rewritten, added, removed, kept } = rows;
  return Array.from(rewritten, (sum, n) => {
    const blocks = Math.min(width, total - n * width);
    return {
      rewritten: sum / blocks,
      added: added[n]! / blocks,
      removed: removed[n]! / blocks,
      kept: kept[n]! / blocks,
    };
  });
}
