import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { everyPoint } from '../../src/point/catalog.ts';
import { PointBlocks } from '../../src/point/point-blocks.ts';
import { PointDisk } from '../../src/point/point-disk.ts';
import { openSegmentIndex } from '../../src/vault/block-index.ts';
import { unusablePacks, type Vault } from '../../src/vault/vault.ts';
import type { Range } from './hurt-vault.ts';
import { noise, openBench, rawDisk, text, type VaultBench } from './vault-bench.ts';

export const BLOCK: number = 16 * 1024;
export const LEAF: number = 256 * BLOCK;

/** Items: a with two points, b with one that shares nothing with it. By point, as `a@p...`, what was backed up. */
export interface Scene {
  bench: VaultBench;
  disks: Map<string, Uint8Array>;
}

export async function makeScene(folder: string, encrypted = true): Promise<Scene> {
  const bench = await openBench(folder, { encrypted });
  await mkdir(bench.folder, { recursive: true });
  const disks = new Map<string, Uint8Array>();
  const save = async (item: string, bytes: Uint8Array): Promise<void> => {
    const { point } = await bench.backup(item, [await rawDisk(join(bench.folder, item), bytes)]);
    disks.set(`${item}@${point}`, Uint8Array.from(bytes));
  };
  const disk = new Uint8Array(LEAF + 3 * BLOCK + 512);
  disk.set(noise(20 * BLOCK, 1), 2 * BLOCK);
  disk.set(noise(BLOCK + 512, 2), LEAF + 2 * BLOCK);
  await save('a', disk);
  disk.set(noise(4 * BLOCK, 3), 5 * BLOCK);
  await save('a', disk);
  await save('b', text(10 * BLOCK, 4));
  return { bench, disks };
}

/**
 * What the disks of all points lose, read through the vault's own segments as a restore without a cache does. What is not
 * lost must be what was backed up. Each item has one disk.
 */
export async function lostByReading(
  vault: Vault,
  disks: ReadonlyMap<string, Uint8Array>,
): Promise<Map<string, Range[]>> {
  const { store, keys, config, state } = vault;
  const names = state.segments.map(({ segment }) => segment);
  const lost = new Map<string, Range[]>();
  for (const { id, manifest } of everyPoint(vault)) {
    const ref = `${manifest.item}@${id}`;
    const index = await openSegmentIndex(store, keys, names, unusablePacks(state));
    const ranges: Range[] = [];
    const blocks = new PointBlocks({ store, keys, blockSize: config.blockSize, index });
    await using disk = new PointDisk(manifest.disks[0]!, blocks, { onLost: (range) => ranges.push({ ...range }) });
    const bytes = new Uint8Array(disk.size);
    await disk.read(0, bytes);
    const expected = Uint8Array.from(disks.get(ref)!);
    lost.set(ref, joined(ranges));
    for (const { offset, length } of ranges) expected.fill(0, offset, offset + length);
    expect(Buffer.compare(bytes, expected), ref).toBe(0);
  }
  return lost;
}

/** The same as a verification tells it: of each point that is there, what all findings together take away. */
export function lostByVerify({ findings }: VerifyResult, points: Iterable<string>): Map<string, Range[]> {
  const ranges = findings.flatMap((finding) => finding.ranges);
  return new Map(
    [...points].map((ref) => [
      ref,
      joined(ranges.filter(({ point }) => point === ref).map(({ offset, length }) => ({ offset, length }))),
    ]),
  );
}

function joined(ranges: readonly Range[]): Range[] {
  const all: Range[] = [];
  for (const { offset, length } of ranges.toSorted((a, b) => a.offset - b.offset)) {
    const last = all.at(-1);
    if (last && last.offset + last.length >= offset) last.length = Math.max(last.length, offset + length - last.offset);
    else all.push({ offset, length });
  }
  return all;
}
