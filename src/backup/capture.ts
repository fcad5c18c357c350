import { rm } from 'node:fs/promises';
import { throwIfAborted } from '../base/abort.ts';
import { createTable, openTable } from '../cache/checksum-table.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { LocationTable } from '../cache/location-table.ts';
import type { DiskAddress } from '../disk/address.ts';
import { mapShape } from '../disk/block-map.ts';
import type { Generation } from '../disk/disk.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { allOrFirstCause } from '../pool/all-or-first-cause.ts';
import type { Pool } from '../pool/pool.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import { openSegmentIndex } from '../vault/block-index.ts';
import { FRAMES_TARGET } from '../vault/block-writer.ts';
import type { Adds, Vault } from '../vault/vault.ts';
import { type BaseMap, readBaseMap } from './base-map.ts';
import { BlockStore } from './block-store.ts';
import { Claims } from './claims.ts';
import {
  createScanMemory,
  type Field,
  JOB,
  JOB_CLOSED,
  JOB_FAILED,
  JOB_OPEN,
  JOB_WANTED,
  type ScanMemory,
  STOP,
  STRIP,
  totals,
} from './scan-memory.ts';
import { type OpenDisk, scanTask } from './scan-task.ts';
import { writeIndex } from './write-index.ts';
import { writeMap } from './write-map.ts';

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
}

export interface CaptureOptions {
  vault: Vault;
  pool: Pool;
  openDisk: OpenDisk;
  index: IndexAddress;
  /** Id of the job, hex, and its staging location in the store. */
  job: string;
  folder: string;
  /** File for the job's overlay. */
  overlay: string;
  disks: readonly CaptureDisk[];
  signal?: AbortSignal | undefined;
  /** Called with the counters of all disks, in order. */
  onCounts?: ((counts: Record<Field, number>[]) => void) | undefined;
}

/** What was captured of one disk. */
export interface CapturedDisk {
  root: string;
  pages: number;
  counts: Record<Field, number>;
  /** Share of changed blocks in 64 slices of the disk. */
  strip: number[];
  base: { fromTable: number; fromVault: number } | null;
}

/** Captures all disks: afterwards every block, page and segment of the point is durable, and only the commit is missing. */
export async function capture(options: CaptureOptions): Promise<{ disks: CapturedDisk[]; adds: Adds[] }> {
  const { vault, pool, disks } = options;
  const { blockSize } = vault.config;
  await rm(options.overlay, { force: true });
  using overlay = new LocationTable(options.overlay);
  for (const { table, size } of disks)
    await (await createTable(table, mapShape(size, blockSize)))[Symbol.asyncDispose]();
  await using blocks = await openPointBlocks(options);
  const bases = await readBases(options, blocks);
  const memory = createScanMemory({
    sizes: disks.map(({ size }) => size),
    blockSize,
    threads: pool.threads,
    base: bases.map((base) => base?.leafIds),
    claims: (pool.threads + 1) * 2 * FRAMES_TARGET,
  });
  await runScan(options, memory);
  const captured = await writeMaps(options, memory, bases);
  throwIfAborted(options.signal);
  const adds = await writeIndex(vault, Buffer.from(options.job, 'hex'), options.folder, overlay);
  return { disks: captured, adds };
}

async function openPointBlocks({ vault, index }: CaptureOptions): Promise<PointBlocks> {
  const { store, keys } = vault;
  const fallback = () => openSegmentIndex(store, keys, index.segments);
  return new PointBlocks({
    store,
    keys,
    blockSize: vault.config.blockSize,
    index: await openIndex(index, store, keys),
    fallback,
  });
}

async function readBases({ vault, disks }: CaptureOptions, blocks: PointBlocks): Promise<(BaseMap | undefined)[]> {
  const { blockSize } = vault.config;
  const hasher = createBlockHasher(vault.keys);
  const bases: (BaseMap | undefined)[] = [];
  for (const { base } of disks) {
    if (!base) {
      bases.push(undefined);
      continue;
    }
    await using table = await openTable(base.table, mapShape(base.size, blockSize));
    bases.push(await readBaseMap({ size: base.size, root: base.root, blockSize, table, blocks, hasher }));
  }
  return bases;
}

/** Runs one scan task per thread over the common queue; the job is opened in the log when the first pack is full. */
async function runScan(options: CaptureOptions, memory: ScanMemory): Promise<void> {
  const { vault, pool, disks, job, folder, index, overlay, signal, onCounts } = options;
  const stop = () => Atomics.store(memory.control, STOP, 1);
  signal?.addEventListener('abort', stop, { once: true });
  const ticking = setInterval(() => onCounts?.(disks.map((_, disk) => totals(memory, disk))), 100);
  const opener = openJobWhenWanted(options, memory);
  try {
    const { store, keys, config } = vault;
    const common = {
      ...{ store: store.address, keys, job: Buffer.from(job, 'hex'), folder, index, overlay, memory },
      ...{ blockSize: config.blockSize, codec: config.codec },
      disks: disks.map(({ base, ...disk }) => ({ ...disk, base: base && { size: base.size, table: base.table } })),
    };
    const task = scanTask({ openDisk: options.openDisk, random: vault.random });
    const runs = Array.from({ length: pool.threads }, (_, worker) => pool.run(task, { ...common, worker }));
    await allOrFirstCause(runs);
    await opener.finished();
  } finally {
    clearInterval(ticking);
    signal?.removeEventListener('abort', stop);
    await opener.finished().catch(() => undefined);
  }
  throwIfAborted(signal);
}

function openJobWhenWanted(
  { vault, job, folder }: CaptureOptions,
  { control }: ScanMemory,
): { finished: () => Promise<void> } {
  const tell = (state: number): void => {
    Atomics.store(control, JOB, state);
    Atomics.notify(control, JOB);
  };
  const work = (async () => {
    const waiting = Atomics.waitAsync(control, JOB, JOB_CLOSED);
    if (waiting.async) await waiting.value;
    if (Atomics.load(control, JOB) !== JOB_WANTED) return;
    try {
      await vault.openJob(job, folder);
      tell(JOB_OPEN);
    } catch (error) {
      Atomics.store(control, STOP, 1);
      tell(JOB_FAILED);
      throw error;
    }
  })();
  work.catch(() => undefined);
  return {
    finished() {
      if (Atomics.compareExchange(control, JOB, JOB_CLOSED, JOB_FAILED) === JOB_CLOSED) Atomics.notify(control, JOB);
      return work;
    },
  };
}

/** Stores the maps of all disks, one meta pack at a time; opens the job if the scan had no reason to. */
async function writeMaps(
  options: CaptureOptions,
  memory: ScanMemory,
  bases: (BaseMap | undefined)[],
): Promise<CapturedDisk[]> {
  const { vault, job, folder, index, overlay, disks, signal } = options;
  const { store, keys, config } = vault;
  const blockSize = config.blockSize;
  const jobBytes = Buffer.from(job, 'hex');
  const beforePublish = async (): Promise<void> => {
    if (vault.state.jobs.get(job) !== 'open') await vault.openJob(job, folder);
  };
  await using searched = await openIndex(index, store, keys);
  await using blocks = new BlockStore({
    claims: new Claims(memory.claims),
    overlay,
    index: searched,
    writer: {
      store,
      keys,
      random: vault.random,
      job: jobBytes,
      codec: config.codec,
      readBack: 'block',
      folder,
      kind: 'page',
      beforePublish,
    },
  });
  const hasher = createBlockHasher(keys);
  const captured: CapturedDisk[] = [];
  for (const [n, disk] of disks.entries()) {
    await using table = await openTable(disk.table, mapShape(disk.size, blockSize));
    if (!table) throw new Error(`the new checksum table ${disk.table} is gone`);
    const base = bases[n];
    const leafIds = memory.found[n] as Uint8Array;
    const map = await writeMap({ leafIds, base: base?.leafIds ?? new Uint8Array(0), table, blocks, hasher, signal });
    const counts = totals(memory, n);
    counts.storedBytes += map.stored;
    captured.push({
      root: map.root,
      pages: map.pages,
      counts,
      strip: stripOf(memory, n, disk.size, blockSize),
      base: base ?? null,
    });
  }
  await blocks.finish();
  return captured;
}

function stripOf(memory: ScanMemory, disk: number, size: number, blockSize: number): number[] {
  const blocksPerSlice = Math.max(1, size / blockSize / STRIP);
  const counts = memory.strips.subarray(disk * STRIP, (disk + 1) * STRIP);
  return Array.from(counts, (changed) => Math.min(1, changed / blocksPerSlice));
}
