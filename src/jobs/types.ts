import type { Cancellable } from '../base/abort.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Counts } from '../point/manifest.ts';

export type { Consistency, PointType } from '../point/manifest.ts';

/** What opens a vault: one of the two, or nothing for an unencrypted one. */
export type Secret = { passphrase: string } | { keyFile: string };

/** Of blocks: lz4 is fast, zstd smaller. */
export type Compression = 'lz4' | 'zstd' | 'none';

/** A disk to back up: its name in the item, and where it is. */
export interface NamedDisk {
  /** 1 to 64 letters, digits, `.`, `_` or `-`, the first a letter or digit. */
  name: string;
  /** Where it is, and how to read it. */
  address: DiskAddress;
}

/** A disk to back up, as an object or as on the command line: `PATH` (its name is made from the path) or `NAME=PATH`. */
export type DiskArgument = NamedDisk | string;

/** How far a run is. All counts are bytes and only grow; `total` may still be an estimate. */
export interface Progress {
  /** What the run does now. */
  phase: 'opening' | 'reading' | 'saving' | 'writing' | 'checking' | 'done';
  /** Bytes behind us. */
  done: number;
  /** Bytes in all. */
  total: number;
  /** The disks of the run, in their order. */
  disks: readonly DiskProgress[];
}

/** How far one disk is. Bytes; counts that a verb does not have stay 0. */
export interface DiskProgress {
  /** Of the disk in the item. */
  name: string;
  /** Virtual size. */
  size: number;
  /** Of the virtual size, how much is behind us. */
  done: number;
  /** Read from the source or the vault. */
  read: number;
  /** Found to differ from the base. */
  changed: number;
  /** Added to the vault, compressed. */
  stored: number;
}

/** Options of what takes its time. */
export interface Watchable extends Cancellable {
  /** Called about ten times a second while there is something to tell. */
  onProgress?: (progress: Progress) => void;
}

/** Option of what reads much. */
export interface Throttled {
  /** Bytes per second, over all threads: of the disks that are backed up, else of the vault's data. Default as fast as it goes. */
  limitRate?: number;
}

/** read: from the source; changed: against the base (full: all non-zero); stored: added to the vault, compressed. */
export type ByteCounts = Counts;

/** The vault that was made. */
export interface InitResult {
  /** Its address. */
  vault: string;
  /** 32 hex digits. */
  id: string;
  /** Bytes of a block. */
  blockSize: number;
  /** Of its blocks. */
  compression: Compression;
  /** Whether a secret is needed to read it. */
  encrypted: boolean;
}

/** Option of what decides by the age of points, or makes some. */
export interface ClockTrust {
  /** Go on although the clock of this machine may be wrong by a day or more. */
  acceptClock?: boolean;
}
