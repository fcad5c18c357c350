import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { refreshIndexCache } from '../../src/cache/index-cache.ts';
import { createImage } from '../../src/image/create-image.ts';
import { imageFacts } from '../../src/image/image-facts.ts';
import { planImage } from '../../src/image/image-plan.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import type { RestoreFormat } from '../../src/jobs/restore-types.ts';
import type { Progress } from '../../src/jobs/types.ts';
import { findPoint } from '../../src/point/catalog.ts';
import { copy } from '../../src/restore/copy.ts';
import { createCopyMemory } from '../../src/restore/copy-memory.ts';
import type { Lost } from '../../src/restore/lost.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import {
  BLOCK,
  bytesOf,
  contentOf,
  expectHonest,
  type HurtItem,
  hurtBlock,
  LEAF,
  makeHurtItem,
  SIZE,
} from '../support/hurt-item.ts';
import { hurt, lostWithout, readMaps } from '../support/hurt-vault.ts';
import { attachLoop, canLoop } from '../support/loop-device.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';
import { noise, openBench, rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
let scene: HurtItem;

beforeAll(async () => {
  scene = await makeHurtItem(folder.fresh('scene'));
});

describe('a restore of a whole vault', () => {
  it.each(['raw', 'dynamic', 'fixed'] as const)('is the same with best effort and without (%s)', async (format) => {
    const best = await scene.best({ format });
    await using session = await scene.bench.open();
    const to = join(scene.bench.folder, `plain-${format}`);
    const plain = await restore(session, 'a', { to, format });
    expect(plain.disks[0]).toMatchObject({ lost: [], lostBytes: 0 });
    expect({ ...best.disk, path: '' }).toEqual({ ...plain.disks[0], path: '' });
    expect(best.result).toMatchObject({ warnings: [], dryRun: false });
    expect(Buffer.compare(await contentOf(plain.disks[0]!.path), best.bytes)).toBe(0);
  });
});

describe('a block that cannot be read', () => {
  it('is zeros, and its neighbours in the pack are not', async () => {
    await using _ = await scene.hurtBlock(scene.blockAt(10));
    await scene.expectRefused('VAULT_DAMAGED');
    const { result, disk } = await scene.best();
    expect(disk.lost).toEqual([{ offset: 10 * BLOCK, length: BLOCK }]);
    const [warning] = result.warnings;
    expect(warning).toMatch(
      /^disk: 16384 of \d+ bytes, in one range, cannot be read from the vault \(packs\/.* has a damaged frame/,
    );
    expect(warning).toContain(disk.path);
    expect(warning).not.toMatch(/I\/O/);
    const data = bytesOf(lostWithout({ ...scene.map, pages: [] }, () => true));
    expect(disk.bytes).toEqual({ read: data - BLOCK, written: data, skipped: SIZE - data });
  });

  it('is lost in every place that has it', async () => {
    await using _ = await scene.hurtBlock(scene.blockAt(20));
    const { disk } = await scene.best();
    expect(disk.lost).toEqual([
      { offset: 20 * BLOCK, length: 2 * BLOCK },
      { offset: 300 * BLOCK, length: BLOCK },
    ]);
  });

  it('is clipped where the disk ends', async () => {
    const last = scene.map.blocks.length - 1;
    await using _ = await scene.hurtBlock(scene.blockAt(last));
    const { disk } = await scene.best();
    expect(disk.lost).toEqual([{ offset: last * BLOCK, length: SIZE - last * BLOCK }]);
  });
});

describe('a page of the map that cannot be read', () => {
  it('takes all that it covers, and nothing else', async () => {
    for (const { id, offset, length } of scene.pagesOf(0)) {
      await using _ = await scene.hurtBlock(id);
      await scene.expectRefused('VAULT_DAMAGED');
      const { disk } = await scene.best();
      expect(disk.lost).toEqual([{ offset, length }]);
    }
    expect(scene.pagesOf(0).map(({ length }) => length)).toEqual([LEAF, LEAF, SIZE - 2 * LEAF]);
  });

  it.each([1, 2, 3])('of level %i takes this whole small disk: the image has its size and is zeros', async (level) => {
    const [page, ...more] = scene.pagesOf(level);
    expect(more).toEqual([]);
    await using _ = await scene.hurtBlock(page!.id);
    const { disk } = await scene.best();
    expect(disk).toMatchObject({
      lost: [{ offset: 0, length: SIZE }],
      lostBytes: SIZE,
      bytes: { read: 0, written: 0, skipped: SIZE },
    });
  });

  it.each<[RestoreFormat, boolean]>([
    ['raw', false],
    ['raw', true],
    ['fixed', false],
    ['fixed', true],
    ['dynamic', false],
    ['dynamic', true],
  ])('is zeros in an image of every type (%s, preallocate %s)', async (format, preallocate) => {
    await using _ = await scene.hurtBlock(scene.pagesOf(0)[1]!.id);
    await using __ = await scene.hurtBlock(scene.blockAt(10));
    const { disk, path } = await scene.best({ format, preallocate, force: true });
    expect(disk.lost).toEqual(scene.gone(scene.pagesOf(0)[1]!.id, scene.blockAt(10)));
    const taken = (await stat(path)).blocks * 512;
    if (preallocate) expect(taken).toBeGreaterThanOrEqual(SIZE);
    else expect(taken).toBeLessThan(LEAF);
    // Of 2 MiB: two of the first leaf and the one behind the second, or all five.
    const { facts } = await imageFacts(path);
    if (format === 'dynamic') expect(facts.allocatedBlocks).toBe(preallocate ? 5 : 3);
  });

  it('of a large disk takes its part, not more: of two pages of level 1, the other one is read', async () => {
    const bench = await openBench(folder.fresh('large'));
    await mkdir(bench.folder, { recursive: true });
    const size = 256 * LEAF + LEAF + 512;
    const path = join(bench.folder, 'large.vhd');
    {
      await using image = await createImage(path, { type: 'dynamic', size });
      await image.write(BLOCK, noise(2 * BLOCK, 1));
      await image.write(256 * LEAF, noise(BLOCK, 2));
      await image.write(size - 512, noise(512, 3));
    }
    await bench.backup('a', [{ name: 'large', address: { kind: 'file', path } }]);
    const { disks, places } = await readMaps(bench, 'a');
    const pages = disks[0]!.pages.filter((page) => page.level === 1);
    expect(pages.map(({ offset, length }) => [offset, length])).toEqual([
      [0, 256 * LEAF],
      [256 * LEAF, LEAF + 512],
    ]);
    const parts = [noise(2 * BLOCK, 1), noise(BLOCK, 2), noise(512, 3)];
    const at = [BLOCK, 256 * LEAF, size - 512];
    for (const [n, { id, offset, length }] of pages.entries()) {
      await using _ = await hurtBlock(bench, places.get(id)!);
      await using session = await bench.open();
      const to = join(bench.folder, `best-${n}.vhd`);
      const { disks: restored } = await restore(session, 'a', { to, bestEffort: true });
      expect(restored[0]).toMatchObject({ virtualSize: size, lost: [{ offset, length }] });
      await using disk = await openDisk(to);
      const kept = n === 0 ? [1, 2] : [0];
      for (const [k, part] of parts.entries()) {
        const found = new Uint8Array(part.byteLength);
        await disk.read(at[k]!, found);
        expect(Buffer.compare(found, kept.includes(k) ? part : new Uint8Array(part.byteLength))).toBe(0);
      }
      const extents = await Array.fromAsync(disk.extents());
      expect(extents.filter(({ kind }) => kind === 'data')).toHaveLength(kept.length);
    }
  });
});

describe('a vault without a single pack', () => {
  it('gives an image of zeros, one lost range, and progress to the end', async () => {
    await using stack = new AsyncDisposableStack();
    for (const places of scene.places.values())
      for (const { pack } of places)
        if (await scene.bench.store.size(packPath(pack)))
          stack.use(await hurt(scene.bench.store, packPath(pack), () => undefined));
    for (const format of ['raw', 'dynamic', 'fixed'] as const) {
      const seen: Progress[] = [];
      const { disk } = await scene.best({ format, onProgress: (progress) => seen.push(progress) });
      expect(disk.lost).toEqual([{ offset: 0, length: SIZE }]);
      expect(seen.at(-1)).toMatchObject({ done: SIZE, total: SIZE });
    }
  });
});

describe('a dry run', () => {
  it('lists what the maps tell, writes nothing and reads no block', async () => {
    const page = scene.pagesOf(0)[2]!;
    await using _ = await scene.hurtBlock(page.id);
    await using __ = await scene.hurtBlock(scene.blockAt(10));
    await using session = await scene.bench.open();
    const to = join(scene.bench.folder, 'dry');
    const { disks, warnings } = await restore(session, 'a', { to, bestEffort: true, dryRun: true });
    expect(disks[0]!.lost).toEqual(scene.gone(page.id));
    expect(warnings).toEqual([expect.stringMatching(/would be zeros; this is what the block map tells/)]);
    await expect(readdir(to)).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(restore(session, 'a', { to, dryRun: true })).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });
});

describe('several disks', () => {
  it('are restored all, each with what it lost', async () => {
    const bench = await openBench(folder.fresh('several'), { threads: 3 });
    await mkdir(bench.folder, { recursive: true });
    const sources = [noise(9 * BLOCK, 1), noise(5 * BLOCK + 512, 2), noise(7 * BLOCK, 3)];
    sources[2]!.set(sources[0]!.subarray(0, BLOCK), 3 * BLOCK);
    const disks = sources.map((bytes, n) => rawDisk(join(bench.folder, `d${n}`), bytes, `d${n}`));
    await bench.backup('a', await Promise.all(disks));
    const { disks: maps, places } = await readMaps(bench, 'a');
    await using _ = await hurtBlock(bench, places.get(maps[0]!.blocks[0]!)!);
    await using session = await bench.open();
    const to = join(bench.folder, 'out');
    const result = await restore(session, 'a', { to, bestEffort: true });
    expect(result.disks.map(({ lost }) => lost)).toEqual([
      [{ offset: 0, length: BLOCK }],
      [],
      [{ offset: 3 * BLOCK, length: BLOCK }],
    ]);
    expect(result.warnings).toEqual([expect.stringMatching(/^d0: /), expect.stringMatching(/^d2: /)]);
    for (const [n, disk] of result.disks.entries()) expectHonest(await contentOf(disk.path), sources[n]!, disk);
  });
});

describe('a block device', () => {
  it('gets zeros written over what is lost, whatever was there', async () => {
    // As a worker writes to one: its old content is not ours.
    const path = join(scene.bench.folder, 'device');
    await writeFile(path, new Uint8Array(SIZE).fill(0xff));
    await using _ = await scene.hurtBlock(scene.pagesOf(0)[0]!.id);
    await using __ = await scene.hurtBlock(scene.pagesOf(0)[1]!.id);
    const lost = await copyOnto(path);
    expect(lost).toMatchObject({ ranges: [{ offset: LEAF, length: LEAF }], bytes: LEAF });
    expectHonest(await readFile(path), scene.source, { lost: [{ offset: 0, length: 2 * LEAF }], lostBytes: 2 * LEAF });
  });

  describeWhere(canLoop, 'no loop device can be made', 'made by the kernel', () => {
    it('gets them too', async () => {
      const file = join(scene.bench.folder, 'loop');
      await writeFile(file, new Uint8Array(SIZE).fill(0xff));
      await using _ = await scene.hurtBlock(scene.pagesOf(0)[1]!.id);
      await using __ = await scene.hurtBlock(scene.blockAt(10));
      using device = attachLoop(file);
      await using session = await scene.bench.open();
      const { disks } = await restore(session, 'a', { to: device.path, bestEffort: true, force: true });
      expect(disks[0]).toMatchObject({
        format: 'block-device',
        lost: scene.gone(scene.pagesOf(0)[1]!.id, scene.blockAt(10)),
      });
      expectHonest(await contentOf(device.path), scene.source, disks[0]!);
    });
  });

  async function copyOnto(path: string): Promise<Lost> {
    await using session = await scene.bench.open();
    const { vault, cache } = session;
    const { address: index } = await refreshIndexCache(cache, vault);
    const { disks } = findPoint(vault, 'a').manifest;
    return await copy({
      ...{ worker: 0, store: vault.store.address, keys: vault.keys, index, disk: disks[0]!, path },
      ...{ plan: planImage({ format: 'raw', size: SIZE }), writeZeros: true, bestEffort: true },
      // The first was told when the image was planned, the second is found now.
      ...{ limit: null, holdsData: Uint8Array.of(0, 1, 1), memory: createCopyMemory(1) },
    });
  }
});
