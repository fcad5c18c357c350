import { throwIfAborted } from '../base/abort.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { type ImagePlan, planImage, type TargetFormat } from '../image/image-plan.ts';
import { createPlannedImage } from '../image/image-writer.ts';
import { claimTarget } from '../image/target.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { PointDisk, type PointDiskFacts } from '../point/point-disk.ts';
import type { Pool } from '../pool/pool.ts';
import { runOnAll } from '../pool/run-on-all.ts';
import type { Vault } from '../vault/vault.ts';
import { type CopyCounts, createCopyMemory, totals } from './copy-memory.ts';
import { copyTask } from './copy-task.ts';

export interface RestoreDiskOptions {
  vault: Vault;
  pool: Pool;
  index: IndexAddress;
  disk: PointDiskFacts;
  target: { path: string; format: TargetFormat; blockSize: number | null; uniqueId: Uint8Array | null };
  preallocate: boolean;
  force: boolean;
  signal?: AbortSignal | undefined;
  onCounts?: ((counts: CopyCounts) => void) | undefined;
}

/** What a restore of a disk would write: where every byte goes, and how many bytes hold data. */
export async function planRestore(
  options: Pick<RestoreDiskOptions, 'vault' | 'index' | 'disk' | 'target' | 'preallocate' | 'signal'>,
): Promise<{
  plan: ImagePlan;
  data: number;
}> {
  const { vault, index, disk: facts, target, preallocate } = options;
  const { store, keys } = vault;
  const found = await openIndex(index, store, keys);
  await using disk = new PointDisk(facts, new PointBlocks({ store, keys, blockSize: facts.blockSize, index: found }));
  const imageBlock = target.blockSize ?? 2 * 1024 * 1024;
  const allocated = new Uint8Array(Math.ceil(facts.size / imageBlock));
  let data = 0;
  for await (const { offset, length, kind } of disk.extents()) {
    throwIfAborted(options.signal);
    if (kind === 'zero') continue;
    data += length;
    allocated.fill(1, Math.floor(offset / imageBlock), Math.ceil((offset + length) / imageBlock));
  }
  const plan = planImage({
    format: target.format,
    size: facts.size,
    ...(target.format === 'vhd-dynamic' && { blockSize: imageBlock }),
    ...(target.uniqueId && { uniqueId: target.uniqueId }),
    now: vault.clock.now(),
    random: vault.random,
    isAllocated: (block) => preallocate || allocated[block] === 1,
  });
  return { plan, data };
}

/** Writes one disk of a point to an image, all workers at once; the image has its name only when it is complete and durable. */
export async function restoreDisk(options: RestoreDiskOptions, plan: ImagePlan): Promise<CopyCounts> {
  const { target, force } = options;
  if (target.format === 'block-device') {
    await createPlannedImage(target.path, plan);
    return copyDisk(options, plan, target.path);
  }
  await using claimed = await claimTarget(target.path, { force, sources: [] });
  await createPlannedImage(claimed.part, plan);
  const counts = await copyDisk(options, plan, claimed.part);
  await claimed.publish();
  return counts;
}

async function copyDisk(options: RestoreDiskOptions, plan: ImagePlan, path: string): Promise<CopyCounts> {
  const { vault, pool, index, disk, target, preallocate, signal, onCounts } = options;
  const memory = createCopyMemory(pool.threads);
  const writeZeros = preallocate || target.format === 'block-device';
  await runOnAll({
    ...{ pool, task: copyTask, queue: memory.queue, signal },
    input: { store: vault.store.address, keys: vault.keys, index, disk, path, plan, writeZeros, memory },
    onTick: () => onCounts?.(totals(memory)),
  });
  onCounts?.(totals(memory));
  return totals(memory);
}
