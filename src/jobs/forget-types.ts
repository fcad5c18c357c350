import type { ErrorCode, ErrorDetails } from '../base/errors.ts';
import type { GcResult } from './gc-types.ts';
import type { ClockTrust, Watchable } from './types.ts';

/** Points by name, or what rules do not keep of the points of items. */
export type WhatToForget =
  | {
      /** References: `ITEM@pID`, `ITEM@TIME`, `ITEM@latest` (which needs `force`). */
      refs: readonly string[];
    }
  | {
      /** Names of items, each planned by itself; none or left out: all. */
      items?: readonly string[];
      rules: RetentionRules;
    };

/**
 * Which points of an item to keep: whatever one of the rules keeps, besides the latest one, those that are pinned, and
 * those that are protected. Counts are whole numbers; 0 is no rule.
 */
export interface RetentionRules {
  /** So many of the newest points. */
  last?: number;
  /** The newest point of each of so many of the newest hours that have points; alike the others. */
  hourly?: number;
  /** Of days. */
  daily?: number;
  /** Of weeks, which begin on Mondays. */
  weekly?: number;
  /** Of months. */
  monthly?: number;
  /** Of years. */
  yearly?: number;
  /** All points that are at most that much older than the latest one: `30d`, `2w`, `1y6mo`. */
  within?: string;
  /** The time zone (IANA, as `Europe/Berlin`) whose hours and days count; default: that of this machine (TZ). */
  zone?: string;
}

/** How to forget. */
export interface ForgetOptions extends Watchable, ClockTrust {
  /** Only tell what would be forgotten. */
  dryRun?: boolean;
  /** Points that are named: also the latest one of an item. */
  force?: boolean;
  /** Run a gc afterwards: it gives up what was forgotten at least `softDelete` ago, and frees what was given up `grace` ago. */
  gc?: boolean;
  /** With `gc`, in milliseconds: for so long a forgotten point can be brought back; default 14 days. */
  softDelete?: number;
  /** With `gc`, in milliseconds: for so long what was given up stays; default 24 hours. */
  grace?: number;
}

/** A point that was forgotten, or would be. */
export interface ForgottenPoint {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** When it was made, ISO 8601 UTC. */
  time: string;
  /** Until then at least it can be brought back, ISO 8601 UTC; null where nobody can tell: nothing was done, or the clock is doubted. */
  expires: string | null;
}

/** A point that rules keep. */
export interface KeptPoint {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** When it was made, ISO 8601 UTC. */
  time: string;
  /** All of them, in words: `latest`, `daily 2026-11-20`, `pinned`, `protected until 2026-12-20T10:00:00Z`. */
  reasons: string[];
}

/** What was forgotten, or with `dryRun` would be. */
export interface ForgetResult {
  /** Nothing was done. */
  dryRun: boolean;
  /** By items, oldest first. */
  forgotten: ForgottenPoint[];
  /** All others of the items that were planned, oldest first; empty where points were named. */
  kept: KeptPoint[];
  /** What the gc did, or with `dryRun` would do; null where none was asked for, or it failed. */
  gc: GcResult | null;
  /** Why the gc failed, or that it was cancelled: what is told here as forgotten is all the same. */
  gcError: { code: ErrorCode; message: string; hint: string | null; details: ErrorDetails } | null;
  /** What the user must act on. */
  warnings: string[];
  /** What is good to know, and needs no action. */
  notices: string[];
}

/** What was brought back. */
export interface UnforgetResult {
  /** In the order in which they were named; not those that were there anyway. */
  unforgotten: Pick<ForgottenPoint, 'item' | 'point' | 'time'>[];
  /** What the user must act on. */
  warnings: string[];
  /** What is good to know, and needs no action. */
  notices: string[];
}
