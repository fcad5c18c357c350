import type { Finding } from '../base/finding.ts';
import type { Watchable } from './types.ts';

/** What to check. */
export interface VerifyOptions extends Watchable {
  /** Only this point, else all. */
  ref?: string;
  /** Read and open every byte, not only the structure. */
  readData?: boolean;
}

/** What a check found. */
export interface VerifyResult {
  /** Nothing is damaged. */
  ok: boolean;
  /** Counts of what was looked at; bytes: those that were opened. */
  checked: { entries: number; points: number; packs: number; segments: number; blocks: number; bytes: number };
  /** With the ids of the points that each one hits. */
  findings: (Finding & { points: string[] })[];
  /** From beginning to end. */
  seconds: number;
}
