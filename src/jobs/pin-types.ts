import type { Cancellable } from '../base/abort.ts';

/** How to pin. */
export interface PinOptions extends Cancellable {
  /** `YYYY-MM-DD[Thh:mm[:ss][Z]]`, local time without the Z; a bare date means its end. Default: for ever. */
  until?: string;
}

/** A point, and its pin as it is now. */
export interface PinResult {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** When it was made, ISO 8601 UTC. */
  time: string;
  /** ISO 8601 UTC, or `forever`; null: it is not pinned. */
  pinned: string | null;
  /** The same, before. */
  before: string | null;
  /** When it was forgotten, ISO 8601 UTC; `unknown` where the clock was doubted; null: it is not. */
  forgotten: string | null;
  /** What the user must act on. */
  warnings: string[];
  /** What is good to know, and needs no action. */
  notices: string[];
}
