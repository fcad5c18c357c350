import { rm } from 'node:fs/promises';
import { throwIfAborted } from '../base/abort.ts';
import { createTable, openTable } from '../cache/checksum-table.ts';
import { openIndex } from '../cache/index-cache.ts';
import { LocationTable } from '../cache/location-table.ts';
import { mapShape } from '../disk/block-map.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import { FRAMES_TARGET } from '../vault/block-writer.ts';
import type { Adds } from '../vault/vault.ts';
import { type BaseMap, readBaseMap } from './base-map.ts';
import type { CapturedDisk, CaptureOptions } from './capture-options.ts';
import { runScan } from './run-scan.ts';
import { createScanMemory } from './scan-memory.ts';
import { joinTails, writeMaps } from './store-rest.ts';
import { writeIndex } from './write-index.ts';

/** Captures all disks: afterwards every block, page and segment of the point is durable, and only the commit is missing. */
export async function capture(options: CaptureOptions): Promise<{ disks: CapturedDisk[]; adds: Adds[] }> {
  const { vault, pool, disks } = options;
  const { blockSize } = vault.config;
  await rm(options.overlay, { force: true });
  using overlay = new LocationTable(options.overlay);
  for (const { table, size } of disks)
    await (await createTable(table, mapShape(size, blockSize)))[Symbol.asyncDispose]();
  const bases = await readBases(options);
  const memory = createScanMemory({
    sizes: disks.map(({ size }) => size),
    blockSize,
    threads: pool.threads,
    base: bases.map((base) => base?.leafIds),
    claims: (pool.threads + 1) * 2 * FRAMES_TARGET,
  });
  const tails = await runScan(options, memory);
  await joinTails(options, memory, tails);
  const captured = await writeMaps(options, memory, bases);
  throwIfAborted(options.signal);
  const adds = await writeIndex(vault, Buffer.from(options.job, 'hex'), options.folder, overlay);
  return { disks: captured, adds };
}

async function readBases({ vault, disks, index }: CaptureOptions): Promise<(BaseMap | undefined)[]> {
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
    bases.push(await readBaseMap({ size: base.size, root: base.root, blockSize, table, blocks, hasher }));
  }
  return bases;
}
