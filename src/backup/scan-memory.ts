import { ID_BYTES, mapShape } from '../disk/block-map.ts';
import { type CommonQueue, createQueue } from '../pool/common-queue.ts';
import { type ClaimMemory, createClaimMemory } from './claims.ts';
import type { IdFilter } from './id-filter.ts';
import type { ReuseMemory } from './reuse.ts';

/** Slices of the picture of changed blocks. */
export const STRIP = 64;

/** States of the job word: has the log an `open` for this job? */
export const JOB_CLOSED = 0;
export const JOB_WANTED = 1;
export const JOB_OPEN = 2;
export const JOB_FAILED = 3;

/** Fields of a disk's counters, each worker's own row, so that nobody waits. */
export const FIELDS = [
  'done',
  'readBytes',
  'changedBytes',
  'storedBytes',
  'readBlocks',
  'changedBlocks',
  'storedBlocks',
  /** Of the stored ones, what an interrupted run had stored. */
  'reusedBytes',
  'reusedBlocks',
  /** Leaf pages of the base that the checksum table did not have. */
  'fetchedPages',
  /** Unchanged, and stored again: the vault's copy is bad. */
  'healedBlocks',
  /** Not read, since only files store them that the base was read from. */
  'keptBytes',
  'keptBlocks',
  /** Of these, what was read after all, to compare. */
  'auditedBlocks',
  'auditedBytes',
] as const;
export type Field = (typeof FIELDS)[number];

/** All that the workers of a scan share: plain data over shared memory. */
export interface ScanMemory {
  queue: CommonQueue;
  /** One word: JOB_CLOSED, JOB_WANTED, JOB_OPEN or JOB_FAILED. */
  job: Int32Array;
  /** Segment n is leaf page `leaves[n]` of disk `disks[n]`. */
  disks: Uint16Array;
  leaves: Uint32Array;
  /** Per worker and disk, FIELDS.length numbers. */
  counters: Float64Array;
  /** Per disk STRIP counts of changed blocks. */
  strips: Uint32Array;
  /** What the base has is looked up, too: a pack was quarantined since. */
  heals: boolean;
  /** Per disk the ids of its leaf pages: of the base (empty without one), and as found. */
  base: Uint8Array[];
  found: Uint8Array[];
  /** Per disk and leaf page, how many of its blocks were not read. */
  kept: Uint32Array[];
  claims: ClaimMemory;
  reuse: ReuseMemory;
  /** What the job's overlay may hold. */
  inOverlay: IdFilter;
  /** One word: how many packs this run has published. */
  published: Int32Array;
}

export function createScanMemory(options: {
  sizes: readonly number[];
  blockSize: number;
  threads: number;
  base: readonly (Uint8Array | undefined)[];
  /** Frames that unfinished packs may hold. */
  claims: number;
  reuse: ReuseMemory;
  inOverlay: IdFilter;
  heals: boolean;
  /** The job is open in the log already. */
  jobIsOpen: boolean;
}): ScanMemory {
  const leaves = options.sizes.map((size) => mapShape(size, options.blockSize).pages[0]);
  const order = interleave(leaves);
  const job = new Int32Array(new SharedArrayBuffer(4));
  if (options.jobIsOpen) job[0] = JOB_OPEN;
  return {
    queue: createQueue(),
    job,
    ...order,
    counters: new Float64Array(new SharedArrayBuffer(options.threads * leaves.length * FIELDS.length * 8)),
    strips: new Uint32Array(new SharedArrayBuffer(leaves.length * STRIP * 4)),
    base: options.base.map((ids) => shared(ids ?? new Uint8Array(0))),
    found: leaves.map((count) => new Uint8Array(new SharedArrayBuffer(count * ID_BYTES))),
    kept: leaves.map((count) => new Uint32Array(new SharedArrayBuffer(count * 4))),
    claims: createClaimMemory(options.claims),
    reuse: options.reuse,
    inOverlay: options.inOverlay,
    heals: options.heals,
    published: new Int32Array(new SharedArrayBuffer(4)),
  };
}

/** One queue for all disks, each spread evenly over it, so that no disk waits for another. */
function interleave(counts: readonly number[]): { disks: Uint16Array; leaves: Uint32Array } {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const disks = new Uint16Array(new SharedArrayBuffer(total * 2));
  const leaves = new Uint32Array(new SharedArrayBuffer(total * 4));
  const next = counts.map(() => 0);
  for (let n = 0; n < total; n++) {
    let pick = -1;
    let least = Infinity;
    for (const [disk, count] of counts.entries()) {
      const at = ((next[disk] as number) + 0.5) / count;
      if ((next[disk] as number) < count && at < least) {
        least = at;
        pick = disk;
      }
    }
    disks[n] = pick;
    leaves[n] = next[pick] as number;
    next[pick] = (next[pick] as number) + 1;
  }
  return { disks, leaves };
}

function shared(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  return copy;
}

/** Adds to a counter of one worker's row. */
export function count(memory: ScanMemory, row: { worker: number; disk: number }, field: Field, by: number): void {
  const at = (row.worker * memory.found.length + row.disk) * FIELDS.length + FIELDS.indexOf(field);
  memory.counters[at] = (memory.counters[at] as number) + by;
}

/** A disk's counters over all workers. */
export function totals(memory: ScanMemory, disk: number): Record<Field, number> {
  const sum = Object.fromEntries(FIELDS.map((field) => [field, 0])) as Record<Field, number>;
  const row = memory.found.length * FIELDS.length;
  for (let at = disk * FIELDS.length; at < memory.counters.length; at += row) {
    for (const [n, field] of FIELDS.entries()) sum[field] += memory.counters[at + n] as number;
  }
  return sum;
}
