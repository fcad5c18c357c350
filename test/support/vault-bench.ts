import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backup } from '../../src/jobs/backup-job.ts';
import type { BackupOptions, BackupResult } from '../../src/jobs/backup-types.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { createVault, openVault, type SessionOptions, type VaultSession } from '../../src/jobs/session.ts';
import type { Compression, NamedDisk } from '../../src/jobs/types.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { openStore, type Store, type StoreAddress } from '../../src/vault/open-store.ts';
import { CHEAP_KDF, fixedClock, PASSPHRASE } from './fixed-parts.ts';

export interface BenchOptions {
  blockSize?: number;
  compression?: Compression;
  encrypted?: boolean;
  /** Default memory, all in this thread; `folder`: a real folder and, unless told otherwise, real threads. */
  where?: 'memory' | 'folder';
  inThread?: boolean;
  threads?: number;
}

/** A vault with all that a run needs, in a folder of its own. */
export interface VaultBench {
  address: string;
  cache: string;
  state: string;
  folder: string;
  /** The store itself, past every wrap that is put on later. */
  store: Store;
  storeAddress: StoreAddress;
  open(options?: SessionOptions): Promise<VaultSession>;
  backup(item: string, disks: readonly NamedDisk[], options?: BackupOptions): Promise<BackupResult>;
  verify(readData?: boolean): Promise<VerifyResult>;
  /** Restores a point raw and gives its bytes. */
  restored(ref: string, disk?: string): Promise<Uint8Array>;
}

let count = 0;

/** Makes a vault; `folder` must not exist or be empty. */
export async function openBench(folder: string, options: BenchOptions = {}): Promise<VaultBench> {
  const {
    where = 'memory',
    inThread = where === 'memory',
    encrypted = true,
    blockSize = 16 * 1024,
    compression = 'lz4',
  } = options;
  const address = join(folder, 'vault');
  const [cache, state] = [join(folder, 'cache'), join(folder, 'state')];
  const storeAddress: StoreAddress =
    where === 'memory' ? { kind: 'memory', name: `bench-${count++}` } : { kind: 'folder', path: address };
  const pool = (): { pool?: ReturnType<typeof openInThreadPool> } =>
    inThread ? { pool: openInThreadPool(options.threads ?? 2) } : {};
  const common = (): SessionOptions => ({
    ...{ cache, state, threads: options.threads ?? 2 },
    ...(encrypted && PASSPHRASE),
    parts: {
      store: storeAddress,
      kdf: CHEAP_KDF,
      reserve: 1024,
      ...pool(),
      ...(where === 'memory' && { clock: fixedClock() }),
    },
  });
  await createVault(address, { ...common(), blockSize, compression, unencrypted: !encrypted });

  const open = (more: SessionOptions = {}): Promise<VaultSession> =>
    openVault(address, { ...common(), ...more, parts: { ...common().parts, ...more.parts } });
  return {
    ...{ address, cache, state, folder, storeAddress, open },
    store: openStore(storeAddress),
    async backup(item, disks, more) {
      await using session = await open();
      return await backup(session, item, disks, more);
    },
    async verify(readData = false) {
      await using session = await open();
      return await verify(session, { readData });
    },
    async restored(ref, disk) {
      await using session = await open();
      const to = join(folder, `restored-${count++}.raw`);
      await restore(session, ref, { to, format: 'raw', ...(disk !== undefined && { disk }) });
      const bytes = await readFile(to);
      await rm(to);
      return bytes;
    },
  };
}

/** A raw disk in a file. */
export async function rawDisk(path: string, bytes: Uint8Array, name = 'disk'): Promise<NamedDisk> {
  await writeFile(path, bytes);
  return { name, address: { kind: 'file', path, format: 'raw' } };
}

/** Bytes that no codec makes smaller, the same for the same seed. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint32Array(Math.ceil(length / 4));
  let x = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let n = 0; n < bytes.length; n++) {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    bytes[n] = x;
  }
  return new Uint8Array(bytes.buffer, 0, length);
}

/** Bytes that compress. */
export function text(length: number, seed: number): Uint8Array {
  return new Uint8Array(Buffer.alloc(length, `line ${seed} of a text that says little; `));
}
