import type { ClockTrust, Watchable } from './types.ts';

/** How to free what no point needs. */
export interface GcOptions extends Watchable, ClockTrust {
  /** Only tell what would be done. */
  dryRun?: boolean;
  /** For so many milliseconds a forgotten point can be brought back; default 14 days. */
  softDelete?: number;
  /** For so many milliseconds a file that was given up stays, for those who read it now, and an interrupted backup, for the next run to go on with it; default 24 hours. */
  grace?: number;
  /** @internal Tests only: ids of blocks in memory at a time. */
  idsPerPass?: number;
}

/** What a gc did, or with `dryRun` would do. Sizes in bytes. */
export interface GcResult {
  /** Nothing was done. */
  dryRun: boolean;
  /** Points that nobody can bring back any more, and packs that no point needs. */
  condemned: { points: number; packs: number; bytes: number };
  /** Interrupted runs of which nothing is used any more; the item is null where nobody can tell it. */
  abandoned: { item: string | null; opened: string }[];
  /** Packs whose blocks were stored anew in others, and the bytes of those. */
  repacked: { packs: number; into: number; bytes: number };
  /** Segments of the index, and those that took their place. */
  merged: { segments: number; into: number };
  /** Files that were deleted. */
  swept: {
    packs: number;
    segments: number;
    /** Staging locations, and other files there, of runs that died. */
    leftovers: number;
    bytes: number;
  };
  /** What the vault is smaller by now, beside what was written. */
  freedBytes: number;
  /** What a gc frees that runs then or later (ISO 8601 UTC), the soonest first. */
  freedLater: { bytes: number; at: string }[];
  /**
   * Forgotten points that a gc gives up that runs then or later (ISO 8601 UTC), the soonest first; what only they hold is freed `grace`
   * after that. Nobody knows of those that are pinned for ever, or were forgotten by a clock in doubt.
   */
  forgottenLater: { points: number; at: string }[];
  /**
   * Interrupted runs that the next one may go on with, and from when on (ISO 8601 UTC) a gc frees what they have stored if none did. The
   * item is null where nobody can tell it, as of a run that stages elsewhere and may be at work; so are the bytes.
   */
  unfinished: { item: string | null; opened: string; bytes: number | null; at: string }[];
  /** For how long forgotten points can be brought back, by which this gc went, in seconds. */
  softDelete: number;
  /** For how long what was given up stays, in seconds. */
  grace: number;
  /** What the user must act on. */
  warnings: string[];
  /** What is good to know, and needs no action. */
  notices: string[];
  /** From beginning to end. */
  seconds: number;
}
