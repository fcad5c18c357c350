import { VhdvaultError } from '../base/errors.ts';
import { openTable } from '../cache/checksum-table.ts';
import { mapShape } from '../disk/block-map.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import type { FinishedPack } from '../vault/block-writer.ts';
import type { BaseMap } from './base-map.ts';
import type { BlockStore } from './block-store.ts';
import type { CapturedDisk, CaptureOptions } from './capture-options.ts';
import { capturedDisk } from './captured-disk.ts';
import { openBlockStore } from './open-block-store.ts';
import { writesOf } from './run-scan.ts';
import type { ScanMemory } from './scan-memory.ts';
import { writeMap } from './write-map.ts';

/** Joins the small packs that the workers ended with (B3), so that a small change makes one pack and not one per thread. */
export async function joinTails(
  options: CaptureOptions,
  memory: ScanMemory,
  tails: readonly FinishedPack[],
): Promise<void> {
  if (tails.length === 0) return;
  await using blocks = await openStoreOf(options, memory, 'data');
  for (const tail of tails) await blocks.join(tail);
  await blocks.finish();
}

/** Stores the maps of all disks, one meta pack at a time. */
export async function writeMaps(
  options: CaptureOptions,
  memory: ScanMemory,
  bases: (BaseMap | undefined)[],
  wrong: readonly (number | null)[],
): Promise<CapturedDisk[]> {
  const { vault, disks, heals, signal } = options;
  const { keys, config } = vault;
  const blockSize = config.blockSize;
  await using blocks = await openStoreOf(options, memory, 'page');
  const hasher = createBlockHasher(keys);
  const captured: CapturedDisk[] = [];
  for (const [n, disk] of disks.entries()) {
    await using table = await openTable(disk.table, mapShape(disk.size, blockSize));
    if (!table) throw lost(disk.table);
    const base = bases[n];
    const leafIds = memory.found[n] as Uint8Array;
    const map = await writeMap({
      leafIds,
      base: base?.leafIds ?? new Uint8Array(0),
      table,
      blocks,
      hasher,
      heals,
      signal,
    });
    captured.push(capturedDisk(options, memory, { n, base, map, wrongAt: wrong[n] ?? null }));
  }
  await blocks.finish();
  return captured;
}

/** Somebody emptied the cache while the run was at work. */
function lost(path: string): VhdvaultError {
  return new VhdvaultError('IO', `${path}, which this run was writing, is gone: no point was made`, {
    hint: 'leave the cache folder alone while a backup runs, and run it again',
    details: { path },
  });
}

/** Opens the job in the log if the scan had no reason to. */
function openStoreOf(options: CaptureOptions, memory: ScanMemory, kind: 'data' | 'page'): Promise<BlockStore> {
  const { vault, job, folder, index } = options;
  const { store, keys, config, random } = vault;
  const beforePublish = async (): Promise<void> => {
    if (vault.state.jobs.get(job) !== 'open') await vault.openJob(job, folder);
  };
  const writes = writesOf(options);
  return openBlockStore({ store, keys, random, codec: config.codec, index, memory, writes, kind, beforePublish });
}
