import type { IndexAddress } from '../cache/index-cache.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Generation } from '../disk/disk.ts';
import type { Pool } from '../pool/pool.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import type { Vault } from '../vault/vault.ts';
import type { OpenDisk } from './scan-input.ts';
import type { Field } from './scan-memory.ts';

/** One disk to capture: open, checked, with its generation noted. */
export interface CaptureDisk {
  name: string;
  address: DiskAddress;
  size: number;
  generation: readonly Generation[];
  /** File of the checksum table to write. */
  table: string;
  /** The same disk in the base point, and its checksum table. */
  base: { size: number; root: string; table: string } | null;
  /** So many images at the top of its chain are new, below is what the base was read from; 0: nothing is known, all is read. */
  newLayers: number;
}

/** What a scan needs: one that stores, or a preview. */
export interface ScanOptions {
  vault: Vault;
  pool: Pool;
  openDisk: OpenDisk;
  index: IndexAddress;
  disks: readonly CaptureDisk[];
  /** Nothing is taken for granted because the base has it: a pack was quarantined since (J4). */
  heals: boolean;
  /** Of what is read from the disks. */
  limit: RateLimit | null;
  signal?: AbortSignal | undefined;
  /** Called with the counters of all disks, in order. */
  onCounts?: ((counts: Record<Field, number>[]) => void) | undefined;
}

export interface CaptureOptions extends ScanOptions {
  /** Id of the job, hex, and its staging location in the store. */
  job: string;
  folder: string;
  /** Names what this run writes there: two runs may have the same job, one of them taken for dead. */
  run: string;
  /** File for the job's overlay. */
  overlay: string;
  /** Names of packs that an interrupted run of the job stored. */
  resumed: readonly string[];
}

/** What was captured of one disk. */
export interface CapturedDisk {
  root: string;
  pages: number;
  counts: Record<Field, number>;
  /** Share of changed blocks in 64 slices of the disk. */
  strip: number[];
  /** Bytes from the beginning of the disk to a block that was not read and is not what the base has, if the audit found one. */
  wrongAt: number | null;
  /** How many pages of the base's map came from where; null without a base. */
  base: { hasTable: boolean; fromTable: number; fromVault: number } | null;
}
