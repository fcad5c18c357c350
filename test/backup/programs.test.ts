import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { applyStep, countChanges, diskPrograms, distinctBlocks, SECTOR, type Step } from '../support/disk-program.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type BenchOptions, openBench, rawDisk } from '../support/vault-bench.ts';
import { vhdDisk } from '../support/vhd-disk.ts';

const folder = tempFolder({ inMemory: true });
const MAX_SECTORS = 2000;

/** What the disk lies in: a VHD stores no zeros, so its blocks come and go. */
type Image = 'raw' | 'dynamic' | 'differencing';

interface Program {
  sectors: number;
  steps: readonly Step[];
  /** Of one backup after the other, in turn. */
  images: readonly Image[];
}

async function imageOf(path: string, bytes: Uint8Array, image: Image): Promise<NamedDisk> {
  if (image === 'raw') return await rawDisk(path, bytes);
  return await vhdDisk(path, bytes, { isChild: image === 'differencing' });
}

/** Runs a program, then restores every point and compares it with the copy that was kept. */
async function run({ sectors, steps, images }: Program, options: BenchOptions): Promise<void> {
  const { blockSize = 16 * 1024 } = options;
  const bench = await openBench(folder.fresh('program'), options);
  await mkdir(bench.folder, { recursive: true });
  const path = join(bench.folder, 'disk');
  let disk: Uint8Array = new Uint8Array(sectors * SECTOR);
  let latest: Uint8Array | undefined;
  const kept = new Map<string, Uint8Array>();
  const stored = new Set<string>();
  for (const step of steps) {
    disk = applyStep(disk, step);
    if (step.do !== 'backup') continue;
    const image = images[kept.size % images.length]!;
    const result = await bench.backup('item', [await imageOf(path, disk, image)], { type: step.type });
    const [found] = result.disks;
    const isFull = latest === undefined || step.type === 'full';
    expect(result.type).toBe(isFull ? 'full' : 'incremental');
    const changes = countChanges(isFull ? undefined : latest, disk, blockSize);
    expect(found?.blocks).toMatchObject({ changed: changes.blocks, total: Math.ceil(disk.byteLength / blockSize) });
    expect(found?.bytes.changed).toBe(changes.bytes);
    const fresh = distinctBlocks(disk, blockSize).difference(stored);
    expect(found?.blocks.stored).toBe(fresh.size);
    for (const block of fresh) stored.add(block);
    kept.set(result.point, disk);
    latest = disk;
  }
  for (const [point, bytes] of kept) {
    expect(Buffer.compare(await bench.restored(`item@${point}`), bytes)).toBe(0);
  }
  expect((await bench.verify(true)).findings).toEqual([]);
}

describe('any program of writes and backups', () => {
  const sizes = fc.integer({ min: 1, max: MAX_SECTORS });
  const blockSizes = fc.constantFrom(16, 32, 64, 128).map((kib) => kib * 1024);
  const codecs = fc.constantFrom('lz4' as const, 'zstd' as const, 'none' as const);
  const images = fc.array(fc.constantFrom<Image>('raw', 'dynamic', 'differencing'), { minLength: 1, maxLength: 3 });
  const programs = (options?: { resize: boolean }): fc.Arbitrary<Program> =>
    fc.record({ sectors: sizes, steps: diskPrograms(MAX_SECTORS, options), images });

  it('restores every point bit for bit, and counts what a comparison of bytes counts', async () => {
    await fc.assert(
      fc.asyncProperty(
        programs(),
        blockSizes,
        codecs,
        fc.boolean(),
        async (program, blockSize, compression, encrypted) => {
          await run(program, { blockSize, compression, encrypted });
        },
      ),
      { numRuns: 30 },
    );
  });

  it('restores every point bit for bit when the disk also grows and shrinks', async () => {
    await fc.assert(
      fc.asyncProperty(programs({ resize: true }), blockSizes, async (program, blockSize) => {
        await run(program, { blockSize });
      }),
      { numRuns: 20 },
    );
  });

  it('restores every point bit for bit with real threads and a real folder', async () => {
    await fc.assert(
      fc.asyncProperty(programs({ resize: true }), codecs, fc.boolean(), async (program, compression, encrypted) => {
        await run(program, { compression, encrypted, where: 'folder' });
      }),
      { numRuns: 4 },
    );
  });
});
