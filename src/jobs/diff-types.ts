import type { Watchable } from './types.ts';

/** What to compare. */
export interface DiffOptions extends Watchable {
  /** Only the disk of this name. */
  disk?: string;
  /**
   * Tell also what a picture needs: at most this many cells per disk. The whole map of the second point is then read,
   * to know which blocks hold data that did not change.
   */
  cells?: number;
}

/** What differs between two points. */
export interface DiffResult {
  /** The first point. */
  from: ComparedPoint;
  /** The second point. */
  to: ComparedPoint;
  /** In the order of the second point. */
  disks: DiffDisk[];
  /** What was not compared, and what the user must act on. */
  warnings: string[];
}

/** One side of a comparison. */
export interface ComparedPoint {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** When it was made, ISO 8601 UTC. */
  time: string;
}

/** What differs between two states of a disk. Where the sizes differ, the smaller one is taken to go on with zeros. */
export interface DiffDisk {
  /** In the second point. */
  name: string;
  /** Bytes, in the second point. */
  size: number;
  /** Name and size in the first point. */
  before: { name: string; size: number };
  /** Bytes. */
  blockSize: number;
  /** Ranges of whole blocks, in order, neighbours joined; only at the end of the disk clipped to it. */
  changed: { offset: number; length: number }[];
  /** The lengths of `changed`, in all. */
  changedBytes: number;
  /** total: of the larger size. changed: all that differ, with these: added (zeros to data) and removed (data to zeros). */
  blocks: { total: number; changed: number; added: number; removed: number };
  /** Where blocks differ: 64 equal slices of the larger size, each the share (0 to 1) that differs. */
  strip: number[];
  /** Only where cells were asked for. */
  picture?: DiffPicture;
}

/** Fates of blocks: rewritten (other data), added (zeros to data), removed (data to zeros), kept (the same data). */
export interface DiffPicture {
  /** Bytes that a cell stands for: a power of two of blocks. The last cell may be shorter. */
  cellBytes: number;
  /** Bytes of each fate; what is missing to the larger size is zero in both points. */
  bytes: DiffCell;
  /** From the disk's beginning to its end, the share (0 to 1) of each fate in the cell. */
  cells: DiffCell[];
}

/** One number for each fate. */
export interface DiffCell {
  /** Data to other data. */
  rewritten: number;
  /** Zeros to data. */
  added: number;
  /** Data to zeros. */
  removed: number;
  /** The same data. */
  kept: number;
}
