import type { Consistency, PointType } from '../point/manifest.ts';
import type { HookResult } from './hooks.ts';
import type { ByteCounts, ClockTrust, Throttled, Watchable } from './types.ts';

export type { HookResult } from './hooks.ts';

/** Counts of blocks and of bytes of one disk in one backup. */
export interface DiskResult {
  /** Of the disk in the item. */
  name: string;
  /** `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `raw`, `block-device`, ... */
  format: string;
  /** Bytes of the disk. */
  virtualSize: number;
  /** Bytes of a block of the vault. */
  blockSize: number;
  /** Of the disk; read: from the source, changed: against the base, stored: added to the vault. */
  blocks: { total: number; read: number; changed: number; stored: number };
  /** The same in bytes. */
  bytes: ByteCounts;
  /**
   * What was not read, since only images store it that the base was read from; of these `audited` blocks were read after all
   * (they count in `read`), and are what the base has.
   */
  skipped: { blocks: number; bytes: number; audited: number };
  /** Root of the block map, hex. */
  root: string;
  /** Where on the disk blocks changed, for a picture: 64 equal slices, each the share (0 to 1) of its blocks that changed. */
  strip: number[];
}

/** How to back up. */
export interface BackupOptions extends Watchable, ClockTrust, Throttled {
  /** Default auto: full the first time, incremental afterwards. */
  type?: 'auto' | PointType;
  /** Default: the first disk. */
  bootDisk?: string;
  /** Words to find the point by. */
  tags?: string[];
  /** A line to keep with the point. */
  note?: string;
  /**
   * Folders in which parents may lie: of the disks that are given as text, and without disks of those of the latest point,
   * besides the folders that it was made with.
   */
  parentRoots?: string[];
  /** What the hooks (or whoever made the snapshots) see to; default crash. It is recorded only if the hooks succeed. */
  consistency?: Consistency;
  /** Command for the shell, run under the item's lock before the disks are opened. */
  pre?: string;
  /** Command for the shell, run afterwards, whatever happened; it learns that from its environment. */
  post?: string;
  /** Milliseconds that each of the two may take; default half an hour. */
  hookTimeout?: number;
  /** Make no point when `pre` fails. */
  requireConsistency?: boolean;
  /**
   * Milliseconds after which a disk is read whole, although its parent is the disk of the latest point; default 30 days, 0: always.
   */
  fullScanEvery?: number;
}

/** What a backup would find; nothing was stored. */
export type BackupPreview = Omit<
  BackupResult,
  'point' | 'consistency' | 'finished' | 'resumed' | 'hooks' | 'healed' | 'dryRun'
> & { dryRun: true };

/** The point that was made. */
export interface BackupResult {
  /** Always: a preview has `true`. */
  dryRun: false;
  /** The name of the item. */
  item: string;
  /** Point id, `p` and 16 hex digits. */
  point: string;
  /** As what it was made. */
  type: PointType;
  /** The point it was compared with, or null. */
  base: { point: string; time: string } | null;
  /** Why this type and this base, and what was used to compare. */
  reason: string;
  /** What the disks were at that time. */
  consistency: Consistency;
  /** ISO 8601 UTC. */
  started: string;
  /** When the point entered the log, ISO 8601 UTC. */
  finished: string;
  /** From beginning to end. */
  seconds: number;
  /** In their order. */
  disks: DiskResult[];
  /** Of all disks. */
  bytes: ByteCounts;
  /** What the user must act on: the run ends with exit code 3. */
  warnings: string[];
  /** What happened on the way and needs no action: a lock taken over, leftovers removed. */
  notices: string[];
  /** Blocks stored again because their copies in the vault are quarantined. */
  healed: number;
  /** What an interrupted run had stored and this one used, in bytes as stored (they count in `stored` too); null: none was. */
  resumed: { started: string; blocks: number; bytes: number } | null;
  /** In the order in which they ran. */
  hooks: HookResult[];
}
