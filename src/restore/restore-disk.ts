import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import { type ImagePlan, planImage, type TargetFormat } from '../image/image-plan.ts';
import { createPlannedImage } from '../image/image-writer.ts';
import { claimTarget } from '../image/target.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { PointDisk, type PointDiskFacts } from '../point/point-disk.ts';
import type { Pool } from '../pool/pool.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import { runOnAll } from '../pool/run-on-all.ts';
import type { Vault } from '../vault/vault.ts';
import { type CopyCounts, createCopyMemory, totals } from './copy-memory.ts';
import { copyTask } from './copy-task.ts';
import { joinLost, type Lost, lostInto, nothingLost } from './lost.ts';

export interface RestoreDiskOptions {
  vault: Vault;
  pool: Pool;
  index: IndexAddress;
  disk: PointDiskFacts;
  target: { path: string; format: TargetFormat; blockSize: number | null; uniqueId: Uint8Array | null };
  preallocate: boolean;
  /** What cannot be read becomes zeros, and is told. */
  bestEffort: boolean;
  force: boolean;
  /** Of what is read from the vault. */
  limit: RateLimit | null;
  signal?: AbortSignal | undefined;
  onCounts?: ((counts: CopyCounts) => void) | undefined;
}

/** What a restore of a disk would write. */
export interface RestorePlan {
  /** Where every byte goes. */
  image: ImagePlan;
  /** How many bytes hold data. */
  data: number;
  /** 1 for each leaf page that does. */
  holdsData: Uint8Array;
  /** What lies below pages of the map that cannot be read: nobody knows where there is data. */
  lost: Lost;
}

/** Bytes, and what of them is zeros because it cannot be read. */
export type RestoredDisk = CopyCounts & { lost: Lost };

/** Reads the block map of a disk. @throws VAULT_DAMAGED, VAULT_NEWER, IO without `bestEffort`; CANCELLED */
export async function planRestore(
  options: Pick<RestoreDiskOptions, 'vault' | 'index' | 'disk' | 'target' | 'preallocate' | 'bestEffort' | 'signal'>,
): Promise<RestorePlan> {
  const { vault, index, disk: facts, target, preallocate, signal } = options;
  const { store, keys } = vault;
  const lost = nothingLost();
  const found = await openIndex(index, store, keys);
  const blocks = new PointBlocks({ store, keys, blockSize: facts.blockSize, index: found });
  await using disk = new PointDisk(facts, blocks, { onLost: lostInto(lost, options.bestEffort) });
  const imageBlock = target.blockSize ?? 2 * 1024 * 1024;
  const allocated = new Uint8Array(Math.ceil(facts.size / imageBlock));
  const leaf = PAGE_IDS * facts.blockSize;
  const holdsData = new Uint8Array(Math.ceil(facts.size / leaf));
  let data = 0;
  for await (const { offset, length, kind } of disk.extents(0, facts.size, { ...(signal && { signal }) })) {
    if (kind === 'zero') continue;
    data += length;
    allocated.fill(1, Math.floor(offset / imageBlock), Math.ceil((offset + length) / imageBlock));
    holdsData.fill(1, Math.floor(offset / leaf), Math.ceil((offset + length) / leaf));
  }
  const image = planImage({
    format: target.format,
    size: facts.size,
    ...(target.format === 'vhd-dynamic' && { blockSize: imageBlock }),
    ...(target.uniqueId && { uniqueId: target.uniqueId }),
    now: vault.clock.now(),
    random: vault.random,
    isAllocated: (block) => preallocate || allocated[block] === 1,
  });
  return { image, data, holdsData, lost };
}

/** Writes one disk of a point to an image, all workers at once; the image has its name only when it is complete and durable. */
export async function restoreDisk(options: RestoreDiskOptions, plan: RestorePlan): Promise<RestoredDisk> {
  const { target, force } = options;
  if (target.format === 'block-device') {
    await createPlannedImage(target.path, plan.image);
    return copyDisk(options, plan, target.path);
  }
  await using claimed = await claimTarget(target.path, { force, sources: [] });
  await createPlannedImage(claimed.part, plan.image);
  const counts = await copyDisk(options, plan, claimed.part);
  await claimed.publish();
  return counts;
}

async function copyDisk(options: RestoreDiskOptions, plan: RestorePlan, path: string): Promise<RestoredDisk> {
  const { vault, pool, index, disk, target, preallocate, bestEffort, limit, signal, onCounts } = options;
  const memory = createCopyMemory(pool.threads);
  const writeZeros = preallocate || target.format === 'block-device';
  const found = await runOnAll({
    ...{ pool, task: copyTask, queue: memory.queue, signal },
    input: {
      ...{ store: vault.store.address, keys: vault.keys, index, disk, path, plan: plan.image, memory },
      ...{ writeZeros, bestEffort, holdsData: plan.holdsData, limit },
    },
    onTick: () => onCounts?.(totals(memory)),
  });
  onCounts?.(totals(memory));
  return { ...totals(memory), lost: joinLost([plan.lost, ...found]) };
}
