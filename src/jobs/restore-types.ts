import type { Throttled, Watchable } from './types.ts';

/** As what a disk is restored. original: what the source was; a differencing image becomes dynamic. */
export type RestoreFormat = 'original' | 'fixed' | 'dynamic' | 'raw';

/** What to restore, and where to. */
export interface RestoreOptions extends Watchable, Throttled {
  /** A file (.vhd, .raw or a block device) or a folder. */
  to: string;
  /** Only this disk of the item. */
  disk?: string;
  /** Default original. */
  format?: RestoreFormat;
  /** Write zeros too, so that the space is really taken. */
  preallocate?: boolean;
  /** Where the vault is damaged: restore all that can be read, write zeros for the rest, and list it. */
  bestEffort?: boolean;
  /** Overwrite what is there. */
  force?: boolean;
  /** Only say what would be written. */
  dryRun?: boolean;
}

/** What was restored. */
export interface RestoreResult {
  /** The name of the item. */
  item: string;
  /** `p` and 16 hex digits. */
  point: string;
  /** One image each. */
  disks: {
    name: string;
    path: string;
    /** `vhd-dynamic`, `vhd-fixed`, `raw`, `block-device` */
    format: string;
    virtualSize: number;
    /** read: from the vault; written: to the target, of the disk's bytes; skipped: zeros left sparse. */
    bytes: { read: number; written: number; skipped: number };
    /**
     * What no copy in the vault gives, as ranges of the disk in order, neighbours joined: zeros in the image. Always empty
     * without `bestEffort`; in a dry run only what the block map tells.
     */
    lost: { offset: number; length: number }[];
    /** The lengths of `lost`, in all. */
    lostBytes: number;
  }[];
  /** From beginning to end. */
  seconds: number;
  /** Nothing was written. */
  dryRun: boolean;
  /** What the user must act on. */
  warnings: string[];
}
