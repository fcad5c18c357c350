import type { Cancellable } from '../base/abort.ts';
import type { Finding } from '../base/finding.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Consistency, Counts, ManifestDisk, PointType } from '../point/manifest.ts';

export type { Consistency, PointType } from '../point/manifest.ts';

/** What opens a vault: one of the two, or nothing for an unencrypted one. */
export type Secret = { passphrase: string } | { keyFile: string };

export type Compression = 'lz4' | 'zstd' | 'none';

/** A disk to back up: its name in the item, and where it is. */
export interface NamedDisk {
  name: string;
  address: DiskAddress;
}

/** How far a run is. All counts are bytes and only grow; `total` may still be an estimate. */
export interface Progress {
  phase: 'opening' | 'reading' | 'saving' | 'writing' | 'checking' | 'done';
  done: number;
  total: number;
  disks: readonly DiskProgress[];
}

export interface DiskProgress {
  name: string;
  /** Virtual size. */
  size: number;
  /** Of the virtual size, how much is behind us. */
  done: number;
  read: number;
  changed: number;
  stored: number;
}

export interface Watchable extends Cancellable {
  /** Called about ten times a second while there is something to tell. */
  onProgress?: (progress: Progress) => void;
}

/** Counts of blocks and of bytes of one disk in one backup. */
export interface DiskResult {
  name: string;
  /** `vhd-fixed`, `vhd-dynamic`, `vhd-differencing`, `raw`, `block-device`, ... */
  format: string;
  virtualSize: number;
  blockSize: number;
  blocks: { total: number; read: number; changed: number; stored: number };
  bytes: ByteCounts;
  /** Root of the block map, hex. */
  root: string;
  /** Where on the disk blocks changed, for a picture: 64 equal slices, each the share (0 to 1) of its blocks that changed. */
  strip: number[];
}

/** read: from the source; changed: against the base (full: all non-zero); stored: added to the vault, compressed. */
export type ByteCounts = Counts;

export interface InitResult {
  vault: string;
  id: string;
  blockSize: number;
  compression: Compression;
  encrypted: boolean;
}

export interface BackupResult {
  item: string;
  /** Point id, `p` and 16 hex digits. */
  point: string;
  type: PointType;
  /** The point it was compared with, or null. */
  base: { point: string; time: string } | null;
  /** Why this type and this base, and what was used to compare. */
  reason: string;
  consistency: Consistency;
  /** ISO 8601 UTC. */
  started: string;
  finished: string;
  seconds: number;
  disks: DiskResult[];
  bytes: ByteCounts;
  /** What the user must act on: the run ends with exit code 3. */
  warnings: string[];
  /** What happened on the way and needs no action: a lock taken over, leftovers removed. */
  notices: string[];
  /** Blocks stored again because the vault's copy was bad. */
  healed: number;
}

export interface PointSummary {
  item: string;
  point: string;
  time: string;
  type: PointType;
  base: string | null;
  consistency: Consistency;
  tier: 'vault';
  expires: string | null;
  disks: { name: string; virtualSize: number; root: string }[];
  /** Of the whole point. */
  bytes: ByteCounts;
}

export interface PointsResult {
  points: PointSummary[];
  warnings: string[];
}

export interface ItemsResult {
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
  warnings: string[];
}

export interface ShowResult {
  point: Omit<PointSummary, 'disks'> & {
    sequence: number;
    bootDisk: string;
    tool: string;
    /** Why this type and this base. */
    reason: string;
    tags: string[];
    note: string;
    started: string;
    seconds: number;
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
  warnings: string[];
}

export type RestoreFormat = 'original' | 'fixed' | 'dynamic' | 'raw';

export interface RestoreOptions extends Watchable {
  /** A file (.vhd, .raw or a block device) or a folder. */
  to: string;
  /** Only this disk of the item. */
  disk?: string;
  format?: RestoreFormat;
  /** Write zeros too, so that the space is really taken. */
  preallocate?: boolean;
  /** Overwrite what is there. */
  force?: boolean;
  /** Only say what would be written. */
  dryRun?: boolean;
}

export interface RestoreResult {
  item: string;
  point: string;
  disks: {
    name: string;
    path: string;
    /** `vhd-dynamic`, `vhd-fixed`, `raw`, `block-device` */
    format: string;
    virtualSize: number;
    /** read: from the vault; written: to the target, of the disk's bytes; skipped: zeros left sparse. */
    bytes: { read: number; written: number; skipped: number };
  }[];
  seconds: number;
  dryRun: boolean;
  warnings: string[];
}

export interface VerifyOptions extends Watchable {
  /** Only this point, else all. */
  ref?: string;
  /** Read and open every byte, not only the structure. */
  readData?: boolean;
}

export interface VerifyResult {
  ok: boolean;
  checked: { entries: number; points: number; packs: number; segments: number; blocks: number; bytes: number };
  findings: (Finding & { points: string[] })[];
  seconds: number;
}
