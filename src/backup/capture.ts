import { rm } from 'node:fs/promises';
import { throwIfAborted } from '../base/abort.ts';
import { createTable, openTable } from '../cache/checksum-table.ts';
import { openIndex } from '../cache/index-cache.ts';
import { LocationTable } from '../cache/location-table.ts';
import { writeSegments } from '../cache/write-segments.ts';
import { mapShape } from '../disk/block-map.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import { FRAMES_TARGET } from '../vault/block-writer.ts';
import type { Adds } from '../vault/vault.ts';
import { auditKept } from './audit.ts';
import { type BaseMap, readBaseMap } from './base-map.ts';
import type { CapturedDisk, CaptureOptions, ScanOptions } from './capture-options.ts';
import { capturedDisk } from './captured-disk.ts';
import { createIdFilter, type IdFilter } from './id-filter.ts';
import { dropUnused, NO_REUSE, type ReuseMemory, reusePacks } from './reuse.ts';
import { runScan } from './run-scan.ts';
import { createScanMemory, type ScanMemory } from './scan-memory.ts';
import { joinTails, writeMaps } from './store-rest.ts';
import { mapOf } from './write-map.ts';

/** Captures all disks: afterwards every block, page and segment of the point is durable, and only the commit is missing. */
export async function capture(options: CaptureOptions): Promise<{ disks: CapturedDisk[]; adds: Adds[] }> {
  const { vault, disks, job, resumed } = options;
  const { store, keys, config } = vault;
  await rm(options.overlay, { force: true });
  using overlay = new LocationTable(options.overlay);
  const inOverlay = createIdFilter();
  const reuse = await reusePacks({ store, keys, job, signal: options.signal }, resumed, { overlay, inOverlay });
  for (const { table, size } of disks) {
    await (await createTable(table, mapShape(size, config.blockSize)))[Symbol.asyncDispose]();
  }
  const bases = await readBases(options);
  const memory = newMemory(options, bases, { reuse, inOverlay, jobIsOpen: vault.state.jobs.get(job) === 'open' });
  const tails = await runScan(options, memory);
  const wrong = await auditKept(options, memory);
  await joinTails(options, memory, tails);
  const captured = await writeMaps(options, memory, bases, wrong);
  throwIfAborted(options.signal);
  const expected = reuse.starts.size + Atomics.load(memory.published, 0) - dropUnused(reuse, overlay);
  const adds = await writeSegments(options, overlay, expected);
  return { disks: captured, adds };
}

/** Reads all disks and compares them with their bases, and stores nothing. */
export async function preview(options: ScanOptions): Promise<CapturedDisk[]> {
  const bases = await readBases(options);
  const memory = newMemory(options, bases, { reuse: NO_REUSE, inOverlay: createIdFilter(), jobIsOpen: false });
  await runScan(options, memory);
  const wrong = await auditKept(options, memory);
  const hasher = createBlockHasher(options.vault.keys);
  return bases.map((base, n) => {
    const { root, pages } = mapOf(memory.found[n] as Uint8Array, hasher);
    const map = { root, pages, stored: 0, reused: 0, healed: 0 };
    return capturedDisk(options, memory, { n, base, map, wrongAt: wrong[n] ?? null });
  });
}

function newMemory(
  { vault, pool, disks, heals }: ScanOptions,
  bases: readonly (BaseMap | undefined)[],
  job: { reuse: ReuseMemory; inOverlay: IdFilter; jobIsOpen: boolean },
): ScanMemory {
  return createScanMemory({
    sizes: disks.map(({ size }) => size),
    blockSize: vault.config.blockSize,
    threads: pool.threads,
    base: bases.map((base) => base?.leafIds),
    claims: (pool.threads + 1) * 2 * FRAMES_TARGET,
    ...{ heals, ...job },
  });
}

async function readBases({ vault, disks, index, heals }: ScanOptions): Promise<(BaseMap | undefined)[]> {
  const { store, keys } = vault;
  const { blockSize } = vault.config;
  await using blocks = new PointBlocks({ store, keys, blockSize, index: await openIndex(index, store, keys) });
  const hasher = createBlockHasher(keys);
  const bases: (BaseMap | undefined)[] = [];
  for (const { base } of disks) {
    if (!base) {
      bases.push(undefined);
      continue;
    }
    await using table = await openTable(base.table, mapShape(base.size, blockSize));
    bases.push(await readBaseMap({ size: base.size, root: base.root, blockSize, table, blocks, hasher, heals }));
  }
  return bases;
}
