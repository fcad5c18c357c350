import { type CommonQueue, createQueue } from '../pool/common-queue.ts';

/** What the workers of a restore share. */
export interface CopyMemory {
  /** Of segments of the disk. */
  queue: CommonQueue;
  /** Per worker: done, read, written, skipped. */
  counters: Float64Array;
}

const FIELDS = ['done', 'read', 'written', 'skipped'] as const;
export type CopyField = (typeof FIELDS)[number];
export type CopyCounts = Record<CopyField, number>;

export function createCopyMemory(threads: number): CopyMemory {
  return {
    queue: createQueue(),
    counters: new Float64Array(new SharedArrayBuffer(threads * FIELDS.length * 8)),
  };
}

export function count({ counters }: CopyMemory, worker: number, field: CopyField, by: number): void {
  const at = worker * FIELDS.length + FIELDS.indexOf(field);
  counters[at] = (counters[at] as number) + by;
}

export function totals({ counters }: CopyMemory): CopyCounts {
  const sum: CopyCounts = { done: 0, read: 0, written: 0, skipped: 0 };
  for (const [at, value] of counters.entries()) sum[FIELDS[at % FIELDS.length] as CopyField] += value;
  return sum;
}
