import { readdirSync, readlinkSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Disk } from '../../src/disk/disk.ts';
import { openPoint } from '../../src/jobs/open-point.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const temp = tempFolder({ inMemory: true });
const KIB = 1024;
const MIB = 1024 * KIB;

/** Data, a hole of whole pages of the map, and an end in the middle of a block. */
const bytes = new Uint8Array(Buffer.concat([noise(MIB, 1), new Uint8Array(11 * MIB), noise(5000 * 512, 2)]));

/** An item with one disk and one with two. */
const benches = {} as Record<'memory' | 'folder', VaultBench>;

beforeAll(async () => {
  for (const where of ['memory', 'folder'] as const) {
    const bench = await openBench(temp.fresh('bench'), { where });
    const disk = await rawDisk(temp.fresh('disk'), bytes);
    await bench.backup('one', [disk]);
    const disks = ['os', 'data'].map((name) => ({ ...disk, name }));
    await bench.backup('two', disks);
    benches[where] = bench;
  }
});

describe.each(['memory', 'folder'] as const)('a disk of a point, with a vault in %s', (where) => {
  it('reads as the disk that was backed up, in any pieces and many at once', async () => {
    await using session = await benches[where].open();
    await using disk = await openPoint(session, 'one');
    expect([disk.size, disk.format, disk.findings]).toEqual([bytes.byteLength, 'point', []]);
    const pieces = Array.from({ length: 200 }, (_, n) => {
      const offset = (n * 7_654_321) % bytes.byteLength;
      return { offset, length: Math.min((n * 12_345) % (700 * KIB), bytes.byteLength - offset) };
    });
    await Promise.all(pieces.map(({ offset, length }) => expectSame(disk, offset, length)));
    await expectSame(disk, 0, bytes.byteLength);
  });

  it('tells what it stores, without gaps, in any part', async () => {
    await using session = await benches[where].open();
    await using disk = await openPoint(session, 'two', 'data');
    expect(await Array.fromAsync(disk.extents())).toEqual([
      { offset: 0, length: MIB, kind: 'data' },
      { offset: MIB, length: 11 * MIB, kind: 'zero' },
      { offset: 12 * MIB, length: 5000 * 512, kind: 'data' },
    ]);
    expect(await Array.fromAsync(disk.extents(MIB - 10, 11))).toEqual([
      { offset: MIB - 10, length: 10, kind: 'data' },
      { offset: MIB, length: 1, kind: 'zero' },
    ]);
  });
});

describe('a disk of a point', () => {
  it('stays as it was when the item is backed up again, and who opens the vault then sees the new one', async () => {
    const bench = await openBench(temp.fresh('bench'));
    const disk = await rawDisk(temp.fresh('disk'), bytes);
    await bench.backup('one', [disk]);
    await using session = await bench.open();
    await using before = await openPoint(session, 'one');
    await writeFile(disk.address.path, noise(MIB, 9));
    await bench.backup('one', [disk]);
    await expectSame(before, 0, bytes.byteLength);
    await using other = await bench.open();
    await using after = await openPoint(other, 'one@latest');
    const found = new Uint8Array(after.size);
    await after.read(0, found);
    expect(Buffer.compare(found, noise(MIB, 9))).toBe(0);
  });

  it.each([
    ['no such point', 'one@p00', undefined, 'NO_SUCH_POINT', 'points'],
    ['no such item', 'none', undefined, 'NO_SUCH_ITEM', 'one, two'],
    ['two disks and none named', 'two', undefined, 'USAGE', 'name one of os, data'],
    ['no disk of that name', 'two', 'swap', 'USAGE', 'name one of os, data'],
    ['no disk of that name among one', 'one', 'swap', 'USAGE', 'name one of disk'],
  ])('is not opened where there is %s', async (_, ref, name, code, cure) => {
    await using session = await benches.memory.open();
    await expect(openPoint(session, ref, name)).rejects.toMatchObject({ code, hint: expect.stringContaining(cure) });
  });

  it.each([
    ['before its beginning', -1, 1],
    ['beyond its end', bytes.byteLength - 1, 2],
    ['at no number', Number.NaN, 1],
    ['at half a byte', 0.5, 1],
  ])('is not read %s', async (_, offset, length) => {
    await using session = await benches.memory.open();
    await using disk = await openPoint(session, 'one');
    await expect(disk.read(offset, new Uint8Array(length))).rejects.toMatchObject({ code: 'DISK_RANGE' });
    await expect(Array.fromAsync(disk.extents(offset, length))).rejects.toMatchObject({ code: 'DISK_RANGE' });
  });
});

describe('a read of a point that is cancelled', () => {
  let name = '';
  afterEach(() => wrapMemoryStore(name, (store) => store));

  it('does not begin, or ends before all was read', async () => {
    // More than is read in one go.
    await benches.memory.backup('large', [await rawDisk(temp.fresh('disk'), noise(6 * MIB, 3))]);
    name = (benches.memory.storeAddress as { kind: 'memory'; name: string }).name;
    const cancel = new AbortController();
    let reads = 0;
    let cancelAt = Number.POSITIVE_INFINITY;
    wrapMemoryStore(name, (store) => ({
      ...store,
      async open(path) {
        const file = await store.open(path);
        return {
          ...file,
          async read(position, target) {
            if (path.startsWith('packs/') && ++reads === cancelAt) cancel.abort();
            await file.read(position, target);
          },
        };
      },
    }));
    await using session = await benches.memory.open();
    await using disk = await openPoint(session, 'large');
    const target = new Uint8Array(disk.size);
    await disk.read(0, target);
    const whole = reads;
    [reads, cancelAt] = [0, 1];
    await expect(disk.read(0, target, cancel)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(reads).toBe(1);
    expect(whole).toBeGreaterThan(1);
    await expect(disk.read(0, target, cancel)).rejects.toMatchObject({ code: 'CANCELLED' });
    await expect(Array.fromAsync(disk.extents(0, 1, cancel))).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(reads).toBe(1);
    await disk.read(0, target);
    expect(Buffer.compare(target, noise(6 * MIB, 3))).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('a disk of a point that is closed', () => {
  /** Files of this test that the process has open. */
  const openFiles = (): string[] =>
    readdirSync('/proc/self/fd')
      .flatMap((fd) => {
        try {
          return [readlinkSync(join('/proc/self/fd', fd))];
        } catch {
          return [];
        }
      })
      .filter((path) => path.startsWith(temp.path));

  it.each([
    ['with the local index', 'index.sqlite', async () => undefined],
    ['without it', '/index/', noCache],
  ])('has let go of all its files, %s', async (_, told, spoil) => {
    await using session = await benches.folder.open({ cache: temp.fresh('cache') });
    await spoil(session);
    const before = openFiles();
    const disk = await openPoint(session, 'one');
    await expectSame(disk, 0, bytes.byteLength);
    expect(openFiles()).toContainEqual(expect.stringContaining('/packs/'));
    expect(openFiles()).toContainEqual(expect.stringContaining(told));
    await disk[Symbol.asyncDispose]();
    await disk[Symbol.asyncDispose]();
    expect(openFiles()).toEqual(before);
  });

  it('has waited for the reads that were under way, and does no others', async () => {
    await using session = await benches.folder.open();
    const before = openFiles();
    const disk = await openPoint(session, 'one');
    const reads = [0, MIB, 12 * MIB].map((offset) => expectSame(disk, offset, MIB));
    const closing = disk[Symbol.asyncDispose]();
    await expect(disk.read(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'USAGE' });
    await expect(Array.fromAsync(disk.extents())).rejects.toMatchObject({ code: 'USAGE' });
    await Promise.all([closing, ...reads]);
    expect(openFiles()).toEqual(before);
  });
});

/** A file in the place of the cache's folder. */
async function noCache({ cache }: VaultSession): Promise<void> {
  await rm(cache, { recursive: true });
  await writeFile(cache, '');
}

async function expectSame(disk: Disk, offset: number, length: number): Promise<void> {
  const target = new Uint8Array(length).fill(0xaa);
  await disk.read(offset, target);
  expect(Buffer.compare(target, bytes.subarray(offset, offset + length)), `${length} bytes at ${offset}`).toBe(0);
}
