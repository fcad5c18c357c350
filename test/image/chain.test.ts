import { appendFile, copyFile, mkdir, rename, symlink, unlink } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Extent, type ImageDisk, openDisk } from '../../src/image/vhd-parser.ts';
import { buildChain, type Link, SECTOR, sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { chains, link } from '../support/vhd-program.ts';

const folder = imageFolder();
let count = 0;

async function build(links: readonly Link[]): Promise<{ path: string; oracle: Uint8Array; paths: string[] }> {
  const own = folder.file(`chain${count++}`);
  await mkdir(own);
  const { paths, oracle } = await buildChain(own, links);
  return { path: paths.at(-1)!, oracle, paths };
}

async function readAll(disk: ImageDisk): Promise<Uint8Array> {
  const bytes = new Uint8Array(disk.size).fill(0x77);
  await disk.read(0, bytes);
  return bytes;
}

async function extentsOf(disk: ImageDisk, ...range: [offset?: number, length?: number]): Promise<Extent[]> {
  return await Array.fromAsync(disk.extents(...range));
}

/** The kind of every sector, from the program alone. */
function kindsOf(links: readonly Link[]): string[] {
  let kinds: string[] = [];
  for (const { kind, size, writes, blockSize } of links) {
    const sectors = size / SECTOR;
    const written = new Set<number>();
    for (const write of writes) {
      for (let s = write.sector; s < Math.min(write.sector + write.count, sectors); s++) written.add(s);
    }
    const inBlock = (s: number): number => Math.floor((s * SECTOR) / blockSize);
    const blocks = new Set([...written].map(inBlock));
    kinds = Array.from({ length: sectors }, (_, s) => {
      if (kind === 'raw' || kind === 'fixed') return 'data';
      if (kind === 'dynamic') return blocks.has(inBlock(s)) ? 'data' : 'zero';
      if (written.has(s)) return 'data';
      return (kinds[s] ?? 'zero') === 'zero' ? 'zero' : 'parent';
    });
  }
  return kinds;
}

describe('a chain of differencing images', () => {
  it('reads as the last write to every sector, whatever the links, block sizes, locators and layouts', async () => {
    await fc.assert(
      fc.asyncProperty(chains(), fc.nat(), fc.nat(), async (links, from, to) => {
        const { path, oracle } = await build(links);
        await using disk = await openDisk(path);
        expect(disk.size).toBe(oracle.byteLength);
        expect(Buffer.compare(await readAll(disk), oracle)).toBe(0);
        const [a, b] = [from % (disk.size + 1), to % (disk.size + 1)].sort((x, y) => x - y) as [number, number];
        const part = new Uint8Array(b - a);
        await disk.read(a, part);
        expect(Buffer.compare(part, oracle.subarray(a, b))).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it('has extents that tell, sector for sector, who stores what', async () => {
    await fc.assert(
      fc.asyncProperty(chains(), fc.nat(), fc.nat(), async (links, from, to) => {
        const { path } = await build(links);
        await using disk = await openDisk(path);
        const sectors = disk.size / SECTOR;
        const [a, b] = [from % (sectors + 1), to % (sectors + 1)].sort((x, y) => x - y) as [number, number];
        const kinds = kindsOf(links).slice(a, b);
        const extents = await extentsOf(disk, a * SECTOR, (b - a) * SECTOR);
        const told = extents.flatMap(({ kind, length }) => Array.from({ length: length / SECTOR }, () => kind));
        expect(told).toEqual(kinds);
        let at = a * SECTOR;
        for (const [i, extent] of extents.entries()) {
          expect(extent.offset).toBe(at);
          at += extent.length;
          expect(extent.kind).not.toBe(extents[i + 1]?.kind);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('reads zero beyond a parent that is smaller, even where the grandparent is larger', async () => {
    const base = link('fixed', { size: 40960, writes: [{ sector: 0, count: 80, seed: 1 }] });
    const small = link('differencing', { size: 8192 });
    const grown = link('differencing', { size: 40960 });
    const { path } = await build([base, small, grown]);
    await using disk = await openDisk(path);
    const all = await readAll(disk);
    expect(Buffer.compare(all.subarray(0, SECTOR), sectorOf(0, 1))).toBe(0);
    expect(all.subarray(8192).every((byte) => byte === 0)).toBe(true);
    expect(await extentsOf(disk)).toEqual([
      { offset: 0, length: 8192, kind: 'parent' },
      { offset: 8192, length: 32768, kind: 'zero' },
    ]);
  });

  it('can be read by many at once', async () => {
    const writes = [{ sector: 3, count: 90, seed: 5 }];
    const { path, oracle } = await build([
      link('dynamic', { writes, backwards: true }),
      link('differencing', { writes: [{ sector: 9, count: 1, seed: 6 }], blockSize: 4096 }),
    ]);
    await using disk = await openDisk(path);
    const reads = Array.from({ length: 64 }, async (_, i) => {
      const offset = (i * 997) % (disk.size - 5000);
      const bytes = new Uint8Array(5000);
      await disk.read(offset, bytes);
      return Buffer.compare(bytes, oracle.subarray(offset, offset + 5000));
    });
    expect(new Set(await Promise.all(reads))).toEqual(new Set([0]));
  });

  it('has one generation per file, and each changes when its file is written or replaced', async () => {
    const { path, paths } = await build([link('fixed'), link('differencing'), link('differencing')]);
    await using disk = await openDisk(path);
    const before = await disk.generation();
    expect(before.map((one) => one.path)).toEqual(paths.toReversed());
    expect(await disk.generation()).toEqual(before);
    await appendFile(paths[1]!, 'x');
    await copyFile(paths[0]!, `${paths[0]}.new`);
    await rename(`${paths[0]}.new`, paths[0]!);
    const after = await disk.generation();
    expect(after.map((one, i) => one.stamp === before[i]!.stamp)).toEqual([true, false, false]);
  });

  it('has another generation when its path leads to another file', async () => {
    const { paths } = await build([link('fixed'), link('fixed')]);
    const path = folder.file('alias.vhd');
    await symlink(paths[0]!, path);
    await using disk = await openDisk(path);
    const [before] = await disk.generation();
    await unlink(path);
    expect((await disk.generation())[0]!.stamp).not.toBe(before!.stamp);
    await symlink(paths[1]!, path);
    expect((await disk.generation())[0]!.stamp).not.toBe(before!.stamp);
    await unlink(path);
    await symlink(paths[0]!, path);
    expect((await disk.generation())[0]).toEqual(before);
  });

  it('refuses ranges outside of the disk', async () => {
    const { path } = await build([link('dynamic')]);
    await using disk = await openDisk(path);
    for (const [offset, length] of [
      [-1, 1],
      [disk.size, 1],
      [disk.size - 511, 512],
    ] as const) {
      await expect(disk.read(offset, new Uint8Array(length))).rejects.toMatchObject({ code: 'DISK_RANGE' });
    }
  });

  it('of 1024 images opens; a longer one is refused', async () => {
    const base = link('fixed', { size: 4096, writes: [{ sector: 1, count: 1, seed: 9 }] });
    const children = Array.from({ length: 1024 }, () => link('differencing', { size: 4096 }));
    const { paths, oracle } = await build([base, ...children]);
    await using disk = await openDisk(paths[1023]!);
    expect(Buffer.compare(await readAll(disk), oracle)).toBe(0);
    await expect(openDisk(paths[1024]!)).rejects.toMatchObject({ code: 'VHD_CHAIN' });
  });
});
