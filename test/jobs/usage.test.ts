import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { openIndex, refreshIndexCache } from '../../src/cache/index-cache.ts';
import type { Share, ShowResult } from '../../src/jobs/point-types.ts';
import { points, show } from '../../src/jobs/points.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { PointBlocks } from '../../src/point/point-blocks.ts';
import { pointUsage } from '../../src/point/point-usage.ts';
import { segmentPath } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import {
  BLOCK,
  type Contents,
  contentsOf,
  EQUAL_PAGES,
  FOUR_POINTS,
  makePoints,
  packsOf,
  pointPrograms,
  writeNoise,
} from '../support/many-points.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });

/** A sealed block is as long as its bytes and a tag, where nothing is compressed. */
const TAG = 16;
const STORED_BLOCK = BLOCK + TAG;
const STORED_PAGE = 8192 + TAG;

async function shown(bench: VaultBench, ref: string): Promise<ShowResult> {
  await using session = await bench.open();
  return await show(session, ref);
}

function shareOf(blocks: ReadonlySet<string>, pages: ReadonlySet<string>): Share {
  return { bytes: blocks.size * STORED_BLOCK + pages.size * STORED_PAGE, blocks: blocks.size, pages: pages.size };
}

function union(all: readonly Contents[], of: 'blocks' | 'pages'): Set<string> {
  return new Set(all.flatMap((contents) => [...contents[of]]));
}

describe('what only one point holds', () => {
  it('is what a comparison of all restored disks says, to the byte, and so is what it shares', async () => {
    const seen = { unique: 0, shared: 0, sharedPages: 0, strayBlocks: 0 };
    await fc.assert(
      fc.asyncProperty(pointPrograms(), async (steps) => {
        const bench = await openBench(folder.fresh('usage'), { blockSize: BLOCK, compression: 'none' });
        const refs = await makePoints(bench, steps);
        const contents = await Promise.all(refs.map(async (ref) => contentsOf(await bench.restored(ref))));
        for (const [n, own] of contents.entries()) {
          const others = contents.filter((_, k) => k !== n);
          const [blocks, pages] = [union(others, 'blocks'), union(others, 'pages')];
          const { point, warnings } = await shown(bench, refs[n]!);
          expect(warnings).toEqual([]);
          expect(point.unique).toEqual(shareOf(own.blocks.difference(blocks), own.pages.difference(pages)));
          expect(point.shared).toEqual(shareOf(own.blocks.intersection(blocks), own.pages.intersection(pages)));
          seen.unique += point.unique?.blocks ?? 0;
          seen.shared += point.shared?.blocks ?? 0;
          seen.sharedPages += point.shared?.pages ?? 0;
          if (point.shared?.pages === 0 && point.shared.blocks > 0) seen.strayBlocks++;
        }
      }),
      { numRuns: 12, examples: [[[...FOUR_POINTS]], [[...EQUAL_PAGES]]] },
    );
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });

  it('of a lone point is every frame of its packs', async () => {
    const bench = await openBench(folder.fresh('lone'), { blockSize: BLOCK });
    await mkdir(bench.folder, { recursive: true });
    const disk = Buffer.concat([noise(20 * BLOCK, 1), text(300 * BLOCK, 2), noise(20 * BLOCK, 1)]);
    await bench.backup('a', [await rawDisk(join(bench.folder, 'a'), disk)]);
    const { unique, shared } = (await shown(bench, 'a')).point;
    const { frames, packs, bytes } = await packsOf(bench);
    // Header, trailer and the tag of the directory for each pack; for each frame its entry in the directory.
    expect(unique?.bytes).toBe(bytes - packs.length * (96 + 24 + TAG) - frames * 48);
    expect((unique?.blocks ?? 0) + (unique?.pages ?? 0)).toBe(frames);
    expect(shared).toEqual({ bytes: 0, blocks: 0, pages: 0 });
  });

  it('is found without a local index, too', async () => {
    const bench = await openBench(folder.fresh('no-cache'), { blockSize: BLOCK });
    const refs = await makePoints(bench, [
      { item: 'a', copy: false, writes: [writeNoise(0, 90, 1), writeNoise(256 * 32, 64, 2)] },
      { item: 'a', copy: false, writes: [writeNoise(64, 64, 3)] },
    ]);
    const { unique, shared } = (await shown(bench, refs[0]!)).point;
    await using session = await bench.open();
    const { store, keys, state } = session.vault;
    const segments = state.segments.map(({ segment }) => segment);
    const index = await openIndex({ cacheFile: null, unusable: [], segments }, store, keys);
    await using blocks = new PointBlocks({ store, keys, blockSize: BLOCK, index });
    const [own, ...others] = await rootsOf(session);
    expect(await pointUsage({ blocks, own: [own!], others })).toEqual({ unique, shared });
    expect(unique?.bytes).toBeGreaterThan(0);
    expect(shared?.bytes).toBeGreaterThan(0);
  });

  it('is found with no page of any map read twice', async () => {
    const bench = await openBench(folder.fresh('once'), { blockSize: BLOCK });
    await makePoints(bench, [
      { item: 'a', copy: false, writes: [writeNoise(0, 90, 1), writeNoise(256 * 32, 64, 2)] },
      { item: 'a', copy: false, writes: [writeNoise(64, 64, 3)] },
      { item: 'b', copy: true, writes: [] },
      { item: 'a', copy: false, writes: [writeNoise(270 * 32, 64, 1)] },
    ]);
    await using session = await bench.open();
    const { vault } = session;
    const index = await openIndex((await refreshIndexCache(session.cache, vault)).address, vault.store, vault.keys);
    const looks = new Map<string, number>();
    const find: typeof index.find = (ids) => {
      for (const id of ids) looks.set(toHex(id), (looks.get(toHex(id)) ?? 0) + 1);
      return index.find(ids);
    };
    await using blocks = new PointBlocks({
      ...{ store: vault.store, keys: vault.keys, blockSize: BLOCK },
      index: { ...index, find },
    });
    const [first, ...others] = await rootsOf(session);
    const { unique, shared } = await pointUsage({ blocks, own: [first!], others });
    // Its own pages are looked up once to be read, once for their lengths; blocks only for their lengths.
    const own = unique.pages + shared.pages;
    const counts = [...looks.values()];
    expect(Math.max(...counts)).toBe(2);
    expect(counts.filter((count) => count === 2)).toHaveLength(own);
  });
});

describe('damage', () => {
  let bench: VaultBench;
  beforeAll(async () => {
    bench = await openBench(folder.fresh('damage'), { blockSize: BLOCK });
    await makePoints(bench, [
      { item: 'a', copy: false, writes: [writeNoise(0, 90, 1)] },
      { item: 'b', copy: false, writes: [writeNoise(0, 90, 2)] },
    ]);
    const { packs } = await packsOf(bench, 1);
    for (const name of packs) await bench.store.remove(packPath(name));
  });

  it('of the index is passed over where the local one knows better', async () => {
    const own = await openBench(folder.fresh('segment'), { blockSize: BLOCK });
    const refs = await makePoints(own, FOUR_POINTS);
    const before = await shown(own, refs[2]!);
    const path = segmentPath((await own.store.list('index'))[0]!);
    const bytes = await own.store.get(path);
    bytes[200]! ^= 1;
    await own.store.remove(path);
    await using file = await own.store.create(path);
    await file.write([bytes]);
    expect(await shown(own, refs[2]!)).toEqual(before);
    expect(before.point.unique?.blocks).toBeGreaterThan(0);
  });

  it.each(['b', 'a'])(
    'in the map of one point leaves open what %s alone holds, and all else is shown',
    async (item) => {
      const { point, warnings } = await shown(bench, item);
      expect(point).toMatchObject({ item, unique: null, shared: null, disks: [{ name: 'disk' }] });
      expect(warnings).toEqual([expect.stringMatching(/^cannot tell what only p[0-9a-f]{16} holds: .+ verify/)]);
    },
  );

  it('is no excuse for going on after a cancellation', async () => {
    await using session = await bench.open();
    const signal = AbortSignal.abort();
    await expect(show(session, 'a', { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

async function rootsOf(session: VaultSession): Promise<string[]> {
  return (await points(session)).points.map(({ disks }) => disks[0]!.root);
}
