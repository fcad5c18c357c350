import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyStep, countChanges, diskPrograms, distinctBlocks, SECTOR, type Step } from '../support/disk-program.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type BenchOptions, openBench, rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const MAX_SECTORS = 2000;

/** Runs a program, then restores every point and compares it with the copy that was kept. */
async function run(sectors: number, steps: readonly Step[], options: BenchOptions): Promise<void> {
  const { blockSize = 16 * 1024 } = options;
  const bench = await openBench(folder.fresh('program'), options);
  await mkdir(bench.folder, { recursive: true });
  const path = join(bench.folder, 'disk.raw');
  let disk: Uint8Array = new Uint8Array(sectors * SECTOR);
  let latest: Uint8Array | undefined;
  const kept = new Map<string, Uint8Array>();
  const stored = new Set<string>();
  for (const step of steps) {
    disk = applyStep(disk, step);
    if (step.do !== 'backup') continue;
    const result = await bench.backup('item', [await rawDisk(path, disk)], { type: step.type });
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

  it('restores every point bit for bit, and counts what a comparison of bytes counts', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        diskPrograms(MAX_SECTORS),
        blockSizes,
        codecs,
        fc.boolean(),
        async (sectors, steps, blockSize, compression, encrypted) => {
          await run(sectors, steps, { blockSize, compression, encrypted });
        },
      ),
      { numRuns: 30 },
    );
  });

  it('restores every point bit for bit when the disk also grows and shrinks', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        diskPrograms(MAX_SECTORS, { resize: true }),
        blockSizes,
        async (sectors, steps, blockSize) => {
          await run(sectors, steps, { blockSize });
        },
      ),
      { numRuns: 20 },
    );
  });

  it('restores every point bit for bit with real threads and a real folder', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        diskPrograms(MAX_SECTORS, { resize: true }),
        codecs,
        fc.boolean(),
        async (sectors, steps, compression, encrypted) => {
          await run(sectors, steps, { compression, encrypted, where: 'folder' });
        },
      ),
      { numRuns: 4 },
    );
  });
});
