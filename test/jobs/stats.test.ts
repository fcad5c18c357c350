import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { openIndex, refreshIndexCache } from '../../src/cache/index-cache.ts';
import type { StatsResult } from '../../src/jobs/point-types.ts';
import { points } from '../../src/jobs/points.ts';
import { stats } from '../../src/jobs/stats.ts';
import type { Progress } from '../../src/jobs/types.ts';
import { countBlocks, noCounts } from '../../src/point/count-blocks.ts';
import { PointBlocks } from '../../src/point/point-blocks.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { SECTOR } from '../support/disk-program.ts';
import {
  BLOCK,
  contentsOf,
  EQUAL_PAGES,
  FOUR_POINTS,
  makePoints,
  packsOf,
  pointPrograms,
  SECTORS,
} from '../support/many-points.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });

async function statsOf(bench: VaultBench): Promise<StatsResult> {
  await using session = await bench.open();
  return await stats(session);
}

/** What the files in a folder of the vault are, and all below it. */
async function filesIn({ store }: VaultBench, path: string): Promise<{ count: number; bytes: number }> {
  const found = { count: 0, bytes: 0 };
  for (const name of await store.list(path)) {
    const size = await store.size(`${path}/${name}`);
    const inner = size === undefined ? await filesIn({ store } as VaultBench, `${path}/${name}`) : undefined;
    found.count += inner?.count ?? 1;
    found.bytes += inner?.bytes ?? size ?? 0;
  }
  return found;
}

describe('what a vault holds and saves', () => {
  it('is what a comparison of all restored disks says, and the vault takes what its files take', async () => {
    await fc.assert(
      fc.asyncProperty(pointPrograms(), async (steps) => {
        const bench = await openBench(folder.fresh('stats'), { blockSize: BLOCK });
        const refs = await makePoints(bench, steps);
        const contents = await Promise.all(refs.map(async (ref) => contentsOf(await bench.restored(ref))));
        const full = contents.map(({ all }) => all.length * BLOCK);
        const distinct = new Set(contents.flatMap(({ all }) => all)).size;
        const sum = (numbers: number[]): number => numbers.reduce((total, one) => total + one, 0);
        const [packs, segments] = [await filesIn(bench, 'packs'), await filesIn(bench, 'index')];
        const { stats: told, warnings } = await statsOf(bench);
        expect(warnings).toEqual([]);
        expect(told).toMatchObject({
          ...{ vault: bench.address, points: refs.length, items: new Set(steps.map(({ item }) => item)).size },
          logEntries: (await filesIn(bench, 'log')).count,
          virtualBytes: refs.length * SECTORS * SECTOR,
          fullBytes: sum(full),
          uniqueBytes: distinct * BLOCK,
          ...{ packs: packs.count, segments: segments.count, storedBytes: packs.bytes + segments.bytes },
        });
        expect((told.saved.byDedup ?? 0) * (told.saved.byCompression ?? 0)).toBeCloseTo(
          distinct > 0 ? sum(full) / told.storedBytes : 0,
        );
        for (const { item, ...found } of told.byItem) {
          const own = refs.flatMap((ref, n) => (ref.startsWith(`${item}@`) ? [full[n]!] : []));
          expect(found).toMatchObject({
            ...{ points: own.length, fullBytes: sum(own), virtualSize: SECTORS * SECTOR },
          });
        }
        expect(sum(told.byItem.map(({ stored }) => stored))).toBeLessThanOrEqual(packs.bytes);
      }),
      { numRuns: 8, examples: [[[...FOUR_POINTS]], [[...EQUAL_PAGES]]] },
    );
  });

  it('of an empty vault is nothing, and divides by nothing', async () => {
    const bench = await openBench(folder.fresh('empty'));
    const { stats: told, warnings } = await statsOf(bench);
    expect(warnings).toEqual([]);
    expect(told).toMatchObject({
      ...{ items: 0, points: 0, since: null, virtualBytes: 0, fullBytes: 0, uniqueBytes: 0, packs: 0, storedBytes: 0 },
      ...{ saved: { byDedup: null, byCompression: null }, byItem: [], growth: [] },
    });
    expect(told.logEntries).toBeGreaterThan(0);
  });

  it('names the five points that added most, the largest first, and none that added nothing', async () => {
    const bench = await openBench(folder.fresh('growth'), { blockSize: BLOCK });
    await mkdir(bench.folder, { recursive: true });
    const disk = new Uint8Array(200 * BLOCK);
    const sizes = [3, 0, 5, 1, 4, 2, 6];
    const made: string[] = [];
    for (const [n, size] of sizes.entries()) {
      disk.set(noise(size * 4 * BLOCK, n + 1), n * 24 * BLOCK);
      made.push((await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), disk)])).point);
      if (n === 1) expect((await statsOf(bench)).stats.growth.map(({ point }) => point)).toEqual([made[0]]);
    }
    const { since, growth, byItem } = (await statsOf(bench)).stats;
    expect(growth.map(({ point }) => point)).toEqual([6, 2, 4, 0, 5].map((n) => made[n]));
    expect(growth.every(({ item }) => item === 'a')).toBe(true);
    await using session = await bench.open();
    const all = (await points(session)).points;
    expect(since).toBe(all[0]!.time);
    expect(byItem[0]!.stored).toBe(all.reduce((sum, { bytes }) => sum + bytes.stored, 0));
  });

  it('is counted with every page read once, and told as it goes', async () => {
    const bench = await openBench(folder.fresh('once'), { blockSize: BLOCK });
    await makePoints(bench, [...FOUR_POINTS, { item: 'a', copy: true, writes: [] }]);
    await using session = await bench.open();
    const { store, keys } = session.vault;
    const index = await openIndex((await refreshIndexCache(session.cache, session.vault)).address, store, keys);
    const read: string[] = [];
    const find: typeof index.find = (ids) => {
      read.push(...ids.map(toHex));
      return index.find(ids);
    };
    await using blocks = new PointBlocks({ store, keys, blockSize: BLOCK, index: { ...index, find } });
    const counts = noCounts();
    for (const { disks } of (await points(session)).points)
      for (const { root } of disks) await countBlocks({ blocks, counts }, root);
    expect(new Set(read).size).toBe(read.length);
    expect(counts.pages.size).toBe(read.length);

    const told: Progress[] = [];
    await stats(session, { onProgress: (progress) => told.push(progress) });
    expect(told.at(-1)!.done).toBe(told.at(-1)!.total);
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).sort((a, b) => a - b));
  });
});

it('damage in the maps of one item leaves open what it would take, and the numbers of others stand', async () => {
  const bench = await openBench(folder.fresh('damage'), { blockSize: BLOCK });
  const [, point] = await makePoints(bench, FOUR_POINTS.slice(0, 2));
  const before = (await statsOf(bench)).stats;
  for (const pack of (await packsOf(bench, 1)).packs) await bench.store.remove(packPath(pack));
  const { stats: told, warnings } = await statsOf(bench);
  expect(told).toEqual({
    ...before,
    ...{ fullBytes: null, uniqueBytes: null, saved: { byDedup: null, byCompression: null } },
    byItem: [before.byItem[0]!, { ...before.byItem[1]!, fullBytes: null }],
  });
  expect(warnings).toEqual([expect.stringContaining(`cannot tell what is in ${point}`)]);
});
