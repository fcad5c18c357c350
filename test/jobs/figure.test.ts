import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder();
const BLOCK = 16 * 1024;
const DISK = 'A';

/** The disk of the well-known figure: ten blocks A1 to A10, each filled anew with every change. */
class Figure {
  readonly bytes = new Uint8Array(10 * BLOCK);
  #turn = 0;

  write(...blocks: number[]): Uint8Array {
    this.#turn++;
    for (const block of blocks) this.bytes.set(noise(BLOCK, this.#turn * 100 + block), (block - 1) * BLOCK);
    return Uint8Array.from(this.bytes);
  }
}

const WRITES = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [2, 3, 4, 9], [5]];

it.each([
  { type: 'incremental' as const, types: ['full', 'incremental', 'incremental'], changed: [10, 4, 1] },
  { type: 'differential' as const, types: ['full', 'differential', 'differential'], changed: [10, 4, 5] },
])(
  'A1 to A10, then A2 A3 A4 A9, then A5: $type points find $changed changed, store 10, 4, 1, and all restore',
  async (row) => {
    const bench = await openBench(folder.fresh('figure'));
    await mkdir(bench.folder, { recursive: true });
    const figure = new Figure();
    const states: Uint8Array[] = [];
    const made = [];
    for (const blocks of WRITES) {
      states.push(figure.write(...blocks));
      made.push(
        await bench.backup('figure', [await rawDisk(join(bench.folder, 'a.raw'), figure.bytes, DISK)], {
          type: row.type,
        }),
      );
    }
    expect(made.map(({ type }) => type)).toEqual(row.types);
    expect(made.map(({ disks }) => disks[0]?.blocks.changed)).toEqual(row.changed);
    expect(made.map(({ disks }) => disks[0]?.blocks.stored)).toEqual([10, 4, 1]);
    for (const [n, { point }] of made.entries()) {
      expect(Buffer.compare(await bench.restored(`figure@${point}`), states[n]!)).toBe(0);
    }
    const bases = made.map(({ base }) => base?.point ?? null);
    expect(bases).toEqual([null, made[0]!.point, row.type === 'incremental' ? made[1]!.point : made[0]!.point]);
  },
);

it('a differential point is compared with the last full one, and without any it is a full one and says so', async () => {
  const bench = await openBench(folder.fresh('figure'));
  await mkdir(bench.folder, { recursive: true });
  const figure = new Figure();
  const run = async (type: 'full' | 'incremental' | 'differential', ...blocks: number[]) => {
    figure.write(...blocks);
    return bench.backup('figure', [await rawDisk(join(bench.folder, 'a.raw'), figure.bytes, DISK)], { type });
  };
  const first = await run('differential', 1, 2, 3);
  expect([first.type, first.base]).toEqual(['full', null]);
  expect(first.reason).toContain('no point to build on');
  await run('incremental', 4);
  const second = await run('full', 5);
  await run('incremental', 6);
  const last = await run('differential', 7);
  expect(last.base?.point).toBe(second.point);
  expect(last.disks[0]?.blocks).toMatchObject({ changed: 2, stored: 1 });
  expect(last.reason).toBe('compared with the last full point, by the map in the vault');
  expect(Buffer.compare(await bench.restored(`figure@${last.point}`), figure.bytes)).toBe(0);
});
