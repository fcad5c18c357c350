import type { Cancellable } from '../base/abort.ts';
import type { ClockTrust } from './types.ts';

/** How to protect. */
export interface ProtectOptions extends Cancellable, ClockTrust {
  /** The least age at which a point may be forgotten: `30d`, `48h`. Left out: only tell what is in force. */
  minRetention?: string;
}

/** The minimum retention that is in force now. */
export interface ProtectResult {
  /** The least age at which a point may be forgotten, in seconds; 0: none. */
  minRetention: number;
  /** When it was set, ISO 8601 UTC; null: never. */
  since: string | null;
  /** From when on it may be lowered, ISO 8601 UTC; null: at once. */
  lowerableFrom: string | null;
  /** What was in force before, in seconds; null: nothing was set now. */
  before: number | null;
  /** points: all that are not forgotten; protected: of these, so many may not be forgotten now. */
  points: number;
  /** Of the points, so many may not be forgotten now. */
  protected: number;
  /** What the user must act on. */
  warnings: string[];
  /** What is good to know, and needs no action. */
  notices: string[];
}
