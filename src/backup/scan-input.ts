import type { Random } from '../base/random.ts';
import type { IndexAddress } from '../cache/index-cache.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Disk, Generation } from '../disk/disk.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import type { Codec } from '../vault/block-writer.ts';
import type { StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import type { ScanMemory } from './scan-memory.ts';

/** What one worker of a scan needs to know; all workers get the same but for `worker`. */
export interface ScanInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  /** Null in a preview, which stores nothing. */
  write: ScanWrites | null;
  blockSize: number;
  codec: Codec;
  disks: ScanDisk[];
  index: IndexAddress;
  /** Of what is read from the disks. */
  limit: RateLimit | null;
  memory: ScanMemory;
}

/** Where what is new goes. */
export interface ScanWrites {
  job: Uint8Array;
  /** The staging location in the store. */
  folder: string;
  run: string;
  /** File of the job's overlay. */
  overlay: string;
}

export interface ScanDisk {
  name: string;
  address: DiskAddress;
  size: number;
  /** As it was when the run began: any difference fails the run early. */
  generation: readonly Generation[];
  /** File of the new checksum table; there is none in a preview. */
  table: string;
  /** The disk of the base point, or null; its checksum table, which may be missing. */
  base: { size: number; table: string } | null;
  /** So many images at the top of its chain are new, below is what the base was read from; 0: nothing is known, all is read. */
  newLayers: number;
}

/** Opens a disk from its address; given by whoever wires rooms together. */
export type OpenDisk = (address: DiskAddress) => Promise<Disk>;

/** What a worker has besides its input: not plain data, so the worker file (or a test) brings it. */
export interface ScanTools {
  openDisk: OpenDisk;
  random: Random;
}
