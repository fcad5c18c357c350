import type { PointFinding } from '../verify/findings.ts';
import type { Throttled, Watchable } from './types.ts';

export type { DiskRange, PointFinding } from '../verify/findings.ts';

/** What to check. */
export interface VerifyOptions extends Watchable, Throttled {
  /** Only this point, else all. */
  ref?: string;
  /** Read and open every byte, not only the structure. */
  readData?: boolean;
  /** Read a share of the packs, in percent: more than 0, at most 100. The next sample goes on where this one ends. */
  sample?: number;
}

/** Which share of the vault a sample read. Packs come in the order of their names, which are hashes. */
export interface Sampled {
  /** Where it began, in percent of all names. */
  from: number;
  /** Where it ended, and the next sample goes on; round the end, it is below `from`. */
  to: number;
  /** Packs that were read. */
  packs: number;
  /** All that could have been. */
  ofPacks: number;
  /** Bytes of the packs that were read. */
  bytes: number;
  /** Bytes of all. */
  ofBytes: number;
  /** So many such samples read everything once. */
  runs: number;
}

/** What a check found. */
export interface VerifyResult {
  /** Nothing is damaged. */
  ok: boolean;
  /** Counts of what was looked at; bytes: those that were opened. */
  checked: { entries: number; points: number; packs: number; segments: number; blocks: number; bytes: number };
  /** Only with `sample`. */
  sampled?: Sampled;
  /** What was noticed, with the points and the ranges of their disks that each one takes away. */
  findings: PointFinding[];
  /** From beginning to end. */
  seconds: number;
}
