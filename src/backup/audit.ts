import { throwIfAborted } from '../base/abort.ts';
import { equalBytes } from '../base/hex.ts';
import type { Random } from '../base/random.ts';
import { openTable } from '../cache/checksum-table.ts';
import { openIndex } from '../cache/index-cache.ts';
import { ID_BYTES, mapShape, PAGE_IDS, ZERO_ID } from '../disk/block-map.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { waitForTurn } from '../pool/rate-limit.ts';
import { createBlockHasher } from '../vault/block-ids.ts';
import { readBaseLeaf } from './base-map.ts';
import type { CaptureDisk, ScanOptions } from './capture-options.ts';
import { planLeaf } from './plan-leaf.ts';
import { checkUnchanged, openAgain, sourceChanged } from './scan.ts';
import { count, type ScanMemory } from './scan-memory.ts';

/** At least so many blocks of a disk, a thousandth of more than 64,000, and no more than take a minute on a slow disk. */
const LEAST = 64;
const SHARE = 1 / 1000;
const MOST = 4096;

/**
 * Reads a random sample of the blocks that were not read, and compares them with what the base has. Per disk where the first
 * one lies that is another, in bytes.
 * @throws SOURCE_CHANGED, CANCELLED
 */
export async function auditKept(options: ScanOptions, memory: ScanMemory): Promise<(number | null)[]> {
  const found: (number | null)[] = [];
  for (const [n, disk] of options.disks.entries()) {
    const leaves = memory.kept[n] as Uint32Array;
    const sample = sampleOf(leaves, options.vault.random);
    found.push(sample.size > 0 ? await auditDisk(options, memory, { n, disk, sample }) : null);
  }
  return found;
}

/** Leaf page -> which of its kept blocks, each equally likely. */
function sampleOf(leaves: Uint32Array, random: Random): Map<number, number[]> {
  const total = leaves.reduce((sum, kept) => sum + kept, 0);
  const wanted = Math.min(total, MOST, Math.max(LEAST, Math.ceil(total * SHARE)));
  const ranks = new Set<number>();
  if (wanted === total) for (let rank = 0; rank < total; rank++) ranks.add(rank);
  while (ranks.size < wanted) ranks.add(Buffer.from(random.bytes(6)).readUIntLE(0, 6) % total);
  const sample = new Map<number, number[]>();
  let [leaf, before] = [0, 0];
  for (const rank of [...ranks].sort((a, b) => a - b)) {
    while (rank >= before + (leaves[leaf] as number)) before += leaves[leaf++] as number;
    sample.set(leaf, [...(sample.get(leaf) ?? []), rank - before]);
  }
  return sample;
}

async function auditDisk(
  { vault, openDisk, index, limit, signal }: ScanOptions,
  memory: ScanMemory,
  { n, disk: facts, sample }: { n: number; disk: CaptureDisk; sample: ReadonlyMap<number, readonly number[]> },
): Promise<number | null> {
  const { store, keys, config } = vault;
  const { blockSize } = config;
  const hasher = createBlockHasher(keys);
  await using disk = await openAgain(openDisk, facts);
  await using blocks = new PointBlocks({ store, keys, blockSize, index: await openIndex(index, store, keys) });
  await using table = facts.base ? await openTable(facts.base.table, mapShape(facts.base.size, blockSize)) : undefined;
  const leafIds = memory.base[n] as Uint8Array;
  const raw = Buffer.alloc(blockSize);
  const zeros = Buffer.alloc(blockSize);
  const row = { worker: 0, disk: n };
  for (const [leaf, places] of sample) {
    const { page } = await readBaseLeaf(leaf, { leafIds, table, blocks, hasher, heals: false });
    const { kept } = await planLeaf(disk, leaf, { ...facts, blockSize });
    for (const place of places) {
      throwIfAborted(signal);
      const block = kept[place];
      // The image stores what was its parent's a moment ago.
      if (block === undefined) throw sourceChanged(facts.name, facts.address.path);
      const offset = block * blockSize;
      const length = Math.min(blockSize, facts.size - offset);
      await waitForTurn(limit, length, () => throwIfAborted(signal));
      await disk.read(offset, raw.fill(0, length).subarray(0, length));
      count(memory, row, 'auditedBlocks', 1);
      count(memory, row, 'auditedBytes', length);
      count(memory, row, 'readBlocks', 1);
      count(memory, row, 'readBytes', length);
      const at = (block % PAGE_IDS) * ID_BYTES;
      const id = raw.equals(zeros) ? ZERO_ID : hasher.data(raw);
      if (equalBytes(id, page.subarray(at, at + ID_BYTES))) continue;
      // Where a file was changed meanwhile, that is the cause.
      await checkUnchanged(disk, facts);
      return offset;
    }
  }
  await checkUnchanged(disk, facts);
  return null;
}
