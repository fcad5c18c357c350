import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench } from '../support/vault-bench.ts';
import { vhdDisk } from '../support/vhd-disk.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const SIZE = 40 * BLOCK;

/** What the disk holds at each point: a seed for each block that its image stores. */
const POINTS: readonly Readonly<Record<number, number>>[] = [
  { 1: 1, 5: 2, 9: 3 },
  { 1: 1, 9: 3 },
  { 1: 1, 5: 4, 9: 3 },
  {},
  { 5: 2 },
];

function diskOf(seeds: Readonly<Record<number, number>>): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  for (const [block, seed] of Object.entries(seeds)) bytes.set(noise(BLOCK, seed), Number(block) * BLOCK);
  return bytes;
}

it.each([
  ['its image does not store', false],
  ['neither its image nor the parent of that stores', true],
])('a block that %s any more is zeros in the next point, and counts as changed', async (_, isChild) => {
  const bench = await openBench(folder.fresh('holes'));
  await mkdir(bench.folder, { recursive: true });
  const changed: number[] = [];
  for (const [n, seeds] of POINTS.entries()) {
    const bytes = diskOf(seeds);
    const disk = await vhdDisk(join(bench.folder, 'disk.vhd'), bytes, { isChild, blockSize: BLOCK });
    const { point, type, disks } = await bench.backup('item', [disk]);
    expect(type).toBe(n === 0 ? 'full' : 'incremental');
    expect(Buffer.compare(await bench.restored(`item@${point}`), bytes), `point ${n}`).toBe(0);
    changed.push(disks[0]!.blocks.changed);
  }
  expect(changed).toEqual([3, 1, 1, 3, 1]);
});
