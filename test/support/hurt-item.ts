import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openDisk } from '../../src/image/open-disk.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import type { RestoreOptions, RestoreResult } from '../../src/jobs/restore-types.ts';
import type { BlockLocation } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { type DiskMap, flipAt, hurt, lostWithout, type Range, readMaps } from './hurt-vault.ts';
import { noise, openBench, rawDisk, type VaultBench } from './vault-bench.ts';

export const BLOCK: number = 16 * 1024;
export const LEAF: number = 256 * BLOCK;
/** Two whole leaves, and a third one with three blocks and a short one. */
export const SIZE: number = 2 * LEAF + 3 * BLOCK + 5 * 512;

/** What a restore by best effort gave. */
export interface Best {
  result: RestoreResult;
  disk: RestoreResult['disks'][number];
  bytes: Uint8Array;
  path: string;
}

/** A vault in memory with an item `a`: one disk in two points, whose blocks lie in packs of their own. */
export interface HurtItem {
  bench: VaultBench;
  source: Uint8Array;
  map: DiskMap;
  places: Map<string, BlockLocation[]>;
  /** Restores it as best it can, by default raw, and holds the law: all that is not in `lost` is the source's. */
  best(options?: Partial<RestoreOptions> & { ref?: string }): Promise<Best>;
  /** An ordinary restore names the way out, and leaves nothing. */
  expectRefused(code: string): Promise<void>;
  /** One bit in the only copy of a block or page, until the end. */
  hurtBlock(id: string): Promise<AsyncDisposable>;
  blockAt(n: number): string;
  pagesOf(level: number): DiskMap['pages'];
  /** What is lost without these blocks and pages. */
  gone(...ids: string[]): Range[];
}

export async function makeHurtItem(folder: string): Promise<HurtItem> {
  const bench = await openBench(folder, { threads: 3 });
  await mkdir(bench.folder, { recursive: true });
  const source = new Uint8Array(SIZE);
  source.set(noise(12 * BLOCK, 1), 2 * BLOCK);
  source.set(noise(BLOCK, 2), LEAF - BLOCK);
  source.set(noise(10 * BLOCK, 3), LEAF + 5 * BLOCK);
  // The same block in three places, of two leaves.
  for (const at of [20, 21, 300]) source.set(noise(BLOCK, 4), at * BLOCK);
  await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), source)]);
  source.set(noise(4 * BLOCK, 5), 4 * BLOCK);
  source.set(noise(BLOCK + 5 * 512, 6), 2 * LEAF + 2 * BLOCK);
  await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), source)]);
  const { disks, places } = await readMaps(bench, 'a');
  const map = disks[0]!;
  return {
    ...{ bench, source, map, places },
    best: (options) => bestOf(bench, source, options),
    expectRefused: (code) => expectRefused(bench, code),
    hurtBlock: (id) => hurtBlock(bench, places.get(id)!),
    blockAt: (n) => map.blocks[n]!,
    pagesOf: (level) => map.pages.filter((page) => page.level === level),
    gone: (...ids) => lostWithout(map, (id) => ids.includes(id)),
  };
}

let count = 0;

async function bestOf(
  bench: VaultBench,
  source: Uint8Array,
  { ref = 'a', ...options }: Partial<RestoreOptions> & { ref?: string } = {},
): Promise<Best> {
  await using session = await bench.open();
  const { format = 'raw' } = options;
  const path = join(bench.folder, `best-${count++}.${format === 'raw' ? 'raw' : 'vhd'}`);
  const result = await restore(session, ref, { to: path, format, bestEffort: true, ...options });
  const disk = result.disks[0]!;
  const bytes = await contentOf(path);
  expectHonest(bytes, source, disk);
  expect(result.warnings).toHaveLength(disk.lost.length > 0 ? 1 : 0);
  return { result, disk, bytes, path };
}

/** What is in `lost` is zeros, all else the source's; the ranges are in order, and neighbours joined. */
export function expectHonest(
  bytes: Uint8Array,
  source: Uint8Array,
  { lost, lostBytes }: Pick<Best['disk'], 'lost' | 'lostBytes'>,
): void {
  const expected = Uint8Array.from(source);
  let end = -1;
  for (const { offset, length } of lost) {
    expect(offset).toBeGreaterThan(end);
    end = offset + length;
    expected.fill(0, offset, end);
  }
  expect(end).toBeLessThanOrEqual(source.byteLength);
  expect(lostBytes).toBe(bytesOf(lost));
  expect(bytes.byteLength).toBe(source.byteLength);
  expect(Buffer.compare(bytes, expected)).toBe(0);
}

async function expectRefused(bench: VaultBench, code: string): Promise<void> {
  await using session = await bench.open();
  const to = join(bench.folder, 'refused');
  const hint = expect.stringContaining('--best-effort');
  await expect(restore(session, 'a', { to })).rejects.toMatchObject({ code, hint });
  expect(await readdir(to)).toEqual([]);
}

export async function hurtBlock(bench: VaultBench, places: readonly BlockLocation[]): Promise<AsyncDisposable> {
  const [place, ...more] = places;
  expect(more).toEqual([]);
  return await hurt(bench.store, packPath(place!.pack), flipAt(place!.offset + (place!.storedLength >> 1)));
}

/** All that a disk in a file holds. */
export async function contentOf(path: string): Promise<Uint8Array> {
  await using disk = await openDisk(path);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

export function bytesOf(ranges: readonly { length: number }[]): number {
  return ranges.reduce((sum, { length }) => sum + length, 0);
}
