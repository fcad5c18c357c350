import type { Cancellable } from '../base/abort.ts';
import type { Consistency, Manifest, ManifestDisk, PointType } from '../point/manifest.ts';
import type { Share } from '../point/point-usage.ts';
import type { ByteCounts } from './types.ts';

export type { Share } from '../point/point-usage.ts';

/** A point, in short. */
export interface PointSummary {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** When it was made, ISO 8601 UTC, by the log. */
  time: string;
  /** As what it was made. */
  type: PointType;
  /** The point that it was compared with, or null. */
  base: string | null;
  /** What the disks were at that time. */
  consistency: Consistency;
  /** Where it is. */
  tier: 'vault';
  /** Forgotten points: from when on gc may free what only they hold, ISO 8601 UTC. Null: never, or nobody knows yet. */
  expires: string | null;
  /** When it was forgotten, ISO 8601 UTC; `unknown` where the clock was doubted; null: it was not. */
  forgotten: string | null;
  /** Until when it cannot be forgotten, ISO 8601 UTC, or `forever`; null: it can. */
  pinned: string | null;
  /** The same by the vault's minimum retention. */
  protectedUntil: string | null;
  /** In their order. Sizes in bytes; root: of the block map, hex, equal for equal disks. */
  disks: { name: string; virtualSize: number; root: string }[];
  /** Of the whole point. */
  bytes: ByteCounts;
  /** Words to find it by. */
  tags: string[];
  /** Empty where none was given. */
  note: string;
}

/** Which points to list. */
export interface PointsOptions extends Cancellable {
  /** Only points that have all of these. */
  tags?: readonly string[];
  /** Those that were forgotten and can be brought back, instead of those that are there. */
  forgotten?: boolean;
}

/** Recovery points. */
export interface PointsResult {
  /** Oldest first. */
  points: PointSummary[];
  /** What the user must act on. */
  warnings: string[];
}

/** What is protected. */
export interface ItemsResult {
  /** In the order of their names. latest: the newest point, of `time` (ISO 8601 UTC), with disks of `virtualSize` bytes in all. */
  items: {
    item: string;
    points: number;
    latest: string;
    time: string;
    virtualSize: number;
    disks: string[];
    /** Bytes that the item's points added to the vault. */
    stored: number;
  }[];
  /** What the user must act on. */
  warnings: string[];
}

/** One point in full. */
export interface ShowResult {
  /** sequence: of its entry in the log. tool: what made it. started: ISO 8601 UTC. seconds: until it was in the log. */
  point: Omit<PointSummary, 'disks'> & {
    sequence: number;
    bootDisk: string;
    tool: string;
    /** Why this type and this base. */
    reason: string;
    hooks: Manifest['hooks'];
    started: string;
    seconds: number;
    /** What no other point of the vault needs: freed if only this point were forgotten. Null where damage hides it. */
    unique: Share | null;
    /** What other points need, too. */
    shared: Share | null;
    disks: {
      name: string;
      virtualSize: number;
      root: string;
      /** What the source was. */
      source: ManifestDisk['source'];
      blockSize: number;
      /** SHA-256 of size, block size and root, hex. */
      fingerprint: string;
      bytes: ByteCounts;
    }[];
  };
  /** What the user must act on. */
  warnings: string[];
}

/** Blocks count whole here, also a last short one. Null where damage hides the number. */
export interface StatsResult {
  /** Sizes in bytes. */
  stats: {
    /** Address of the vault. */
    vault: string;
    id: string;
    items: number;
    points: number;
    logEntries: number;
    /** Time of the oldest point; null where there is none. */
    since: string | null;
    /** Sizes of the disks of all points. */
    virtualBytes: number;
    /** Blocks of all points that are not zero: what a full copy of each would take. */
    fullBytes: number | null;
    /** Distinct blocks that the points need, before compression. */
    uniqueBytes: number | null;
    packs: number;
    /** Segments of the index. */
    segments: number;
    /** Bytes of packs and segments, as the log tells them; its own entries are not counted. */
    storedBytes: number;
    /** Factors: fullBytes to uniqueBytes, uniqueBytes to storedBytes; null where there is nothing yet. */
    saved: { byDedup: number | null; byCompression: number | null };
    /** Bytes free where the vault lies, as far as it can be told. */
    free: number | null;
    byItem: {
      item: string;
      points: number;
      /** Of the latest point. */
      virtualSize: number;
      fullBytes: number | null;
      /** Bytes that the item's points added to the vault. */
      stored: number;
    }[];
    /** The five points that added most, the largest first. */
    growth: { item: string; point: string; time: string; stored: number }[];
  };
  /** What the user must act on. */
  warnings: string[];
}
