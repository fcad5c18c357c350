import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diff } from '../../src/jobs/diff-job.ts';
import type { DiffCell, DiffDisk, DiffOptions, DiffResult } from '../../src/jobs/diff-types.ts';
import { points } from '../../src/jobs/points.ts';
import type { NamedDisk, Progress } from '../../src/jobs/types.ts';
import { applyStep, diskPrograms, SECTOR, type Step } from '../support/disk-program.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type BenchOptions, noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

async function newBench(options: BenchOptions = {}): Promise<VaultBench> {
  const bench = await openBench(folder.fresh('bench'), options);
  await mkdir(bench.folder, { recursive: true });
  return bench;
}

async function put(bench: VaultBench, item: string, disks: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const named: NamedDisk[] = [];
  for (const [name, bytes] of Object.entries(disks)) {
    named.push(await rawDisk(join(bench.folder, `${item}-${name}.raw`), bytes, name));
  }
  return `${item}@${(await bench.backup(item, named)).point}`;
}

async function compare(bench: VaultBench, from: string, to: string, options?: DiffOptions): Promise<DiffResult> {
  await using session = await bench.open();
  return await diff(session, from, to, options);
}

/** Byte by byte, knowing nothing of maps and ids: what is beyond an end reads as zero. */
function byBytes(
  a: Uint8Array,
  b: Uint8Array,
): Pick<DiffDisk, 'changed' | 'changedBytes' | 'blocks'> & { kept: number } {
  const size = Math.max(a.length, b.length);
  const changed: DiffDisk['changed'] = [];
  const blocks = { total: 0, changed: 0, added: 0, removed: 0 };
  let [changedBytes, kept] = [0, 0];
  for (let start = 0; start < size; start += BLOCK) {
    const end = Math.min(size, start + BLOCK);
    let [differs, dataBefore, dataAfter] = [false, false, false];
    for (let at = start; at < end; at++) {
      const [before, after] = [a[at] ?? 0, b[at] ?? 0];
      if (before !== after) differs = true;
      if (before !== 0) dataBefore = true;
      if (after !== 0) dataAfter = true;
    }
    blocks.total++;
    if (!differs && dataAfter) kept += end - start;
    if (!differs) continue;
    blocks.changed++;
    if (!dataBefore) blocks.added++;
    if (!dataAfter) blocks.removed++;
    changedBytes += end - start;
    const last = changed.at(-1);
    if (last && last.offset + last.length === start) last.length = end - last.offset;
    else changed.push({ offset: start, length: end - start });
  }
  return { changed, changedBytes, blocks, kept };
}

function expectSame(found: DiffDisk | undefined, before: Uint8Array, after: Uint8Array): void {
  const { kept, ...expected } = byBytes(before, after);
  expect(found).toMatchObject({ size: after.length, before: { size: before.length }, blockSize: BLOCK, ...expected });
  expect(found?.changed).toEqual(expected.changed);
  const share = found!.strip.reduce((sum, slice) => sum + slice, 0) / 64;
  expect(share).toBeCloseTo(expected.blocks.changed / expected.blocks.total, 9);
  if (!found?.picture) return;
  const { bytes, cells, cellBytes } = found.picture;
  expect(bytes.kept).toBe(kept);
  expect(bytes.rewritten + bytes.added + bytes.removed).toBe(expected.changedBytes);
  expect(cells).toHaveLength(Math.ceil(Math.max(before.length, after.length) / cellBytes));
  const sum = (cell: DiffCell): number => cell.rewritten + cell.added + cell.removed + cell.kept;
  for (const cell of cells) expect(sum(cell)).toBeLessThanOrEqual(1 + 1e-9);
}

/** Backs a program up, then compares every two of its points, both ways. */
async function run(sectors: number, steps: readonly Step[], cells: number | undefined): Promise<void> {
  const bench = await newBench();
  let disk: Uint8Array = new Uint8Array(sectors * SECTOR);
  const kept: [string, Uint8Array][] = [];
  for (const step of [{ do: 'backup', type: 'auto' } as const, ...steps]) {
    disk = applyStep(disk, step);
    if (step.do === 'backup') kept.push([await put(bench, 'item', { disk }), disk]);
  }
  await using session = await bench.open();
  for (const [from, before] of kept) {
    for (const [to, after] of kept) {
      const { disks, warnings } = await diff(session, from, to, cells === undefined ? {} : { cells });
      expect({ count: disks.length, warnings }).toEqual({ count: 1, warnings: [] });
      expect(disks[0]?.picture === undefined).toBe(cells === undefined);
      expectSame(disks[0], before, after);
    }
  }
}

describe('the difference of two points', () => {
  it('is that of their bytes, for any program of writes, and with grown and shrunk disks', async () => {
    const sizes = fc.integer({ min: 1, max: 2000 });
    const programs = diskPrograms(2000, { resize: true });
    await fc.assert(fc.asyncProperty(sizes, programs, fc.constantFrom(undefined, 1, 20, 2048), run), { numRuns: 12 });
  });

  it('is found beyond the first leaf page of the block map, in order and joined across the border', async () => {
    const bench = await newBench();
    const leaf = 256 * BLOCK;
    const before = new Uint8Array(3 * leaf + 512);
    before.set(noise(leaf, 1), 2 * leaf);
    const after = before.slice();
    after.set(noise(4 * BLOCK, 2), leaf - 2 * BLOCK);
    after.fill(0, 2 * leaf, 2 * leaf + BLOCK);
    after.set(noise(512, 3), 3 * leaf);
    const [from, to] = [await put(bench, 'item', { os: before }), await put(bench, 'item', { os: after })];
    const { disks } = await compare(bench, from, to, { cells: 100 });
    expect(disks[0]?.changed).toEqual([
      { offset: leaf - 2 * BLOCK, length: 4 * BLOCK },
      { offset: 2 * leaf, length: BLOCK },
      { offset: 3 * leaf, length: 512 },
    ]);
    expectSame(disks[0], before, after);
  });

  it('names both points with their times, and the disk', async () => {
    const bench = await newBench();
    const from = await put(bench, 'a', { os: noise(BLOCK, 1) });
    const to = await put(bench, 'b', { os: noise(BLOCK, 2) });
    const found = await compare(bench, 'a', 'b@latest');
    expect([found.from, found.to].map(({ item, point }) => `${item}@${point}`)).toEqual([from, to]);
    await using session = await bench.open();
    const times = (await points(session)).points.map(({ time }) => time);
    expect([found.from.time, found.to.time]).toEqual(times);
    expect(found.disks).toMatchObject([{ name: 'os', before: { name: 'os' }, changedBytes: BLOCK }]);
  });

  it('needs nothing of the vault but its log where the disks are equal', async () => {
    const bench = await newBench({ where: 'folder' });
    const disk = noise(BLOCK * 3, 1);
    const [first, same] = [await put(bench, 'item', { disk }), await put(bench, 'item', { disk })];
    const grown = await put(bench, 'item', { disk: new Uint8Array([...disk, ...new Uint8Array(BLOCK)]) });
    const other = await put(bench, 'item', { disk: noise(BLOCK * 3, 2) });
    for (const name of ['packs', 'index']) await rm(join(bench.address, name), { recursive: true });
    await rm(bench.cache, { recursive: true });
    for (const point of [same, grown]) {
      await using session = await bench.open();
      expect((await diff(session, first, point)).disks).toMatchObject([{ changed: [], changedBytes: 0 }]);
      expect(await readdir(session.cache)).not.toContain('index.sqlite');
    }
    await expect(compare(bench, first, other)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });

  it('tells how far it is, and stops when it is told to', async () => {
    const bench = await newBench();
    const from = await put(bench, 'item', { os: noise(BLOCK, 1), data: new Uint8Array(3 * BLOCK) });
    const to = await put(bench, 'item', { os: noise(BLOCK, 2), data: noise(3 * BLOCK, 2) });
    const told: Progress[] = [];
    await compare(bench, from, to, { onProgress: (progress) => told.push(progress) });
    expect(told.at(-1)).toMatchObject({ phase: 'reading', done: 4 * BLOCK, total: 4 * BLOCK });
    expect(told.map(({ done }) => done)).toEqual(told.map(({ done }) => done).toSorted((a, b) => a - b));
    const stop = new AbortController();
    const onProgress = (): void => stop.abort();
    await expect(compare(bench, from, to, { signal: stop.signal, onProgress })).rejects.toMatchObject({
      code: 'CANCELLED',
    });
  });
});

describe('the disks that are compared', () => {
  const [one, two, longer] = [noise(BLOCK, 1), noise(BLOCK, 2), noise(2 * BLOCK, 3)];

  it('are those of the same name; the others are named in warnings', async () => {
    const bench = await newBench();
    const from = await put(bench, 'item', { os: one, data: one, old: one });
    const to = await put(bench, 'item', { data: two, os: one, new: one });
    const { disks, warnings } = await compare(bench, from, to);
    expect(disks.map(({ name, changedBytes }) => [name, changedBytes])).toEqual([
      ['data', BLOCK],
      ['os', 0],
    ]);
    expect(warnings).toEqual([
      `old of ${from} is not in ${to}: not compared`,
      `new of ${to} is not in ${from}: not compared`,
    ]);
  });

  it('are, where each point has only one, these two, whatever their names', async () => {
    const bench = await newBench();
    const [from, to] = [await put(bench, 'a', { os: one }), await put(bench, 'b', { sda: two })];
    const { disks, warnings } = await compare(bench, from, to);
    expect(disks).toMatchObject([{ name: 'sda', before: { name: 'os' }, changedBytes: BLOCK }]);
    expect(warnings).toEqual([]);
  });

  it('are the one that was asked for, and of another item its only one', async () => {
    const bench = await newBench();
    const a = await put(bench, 'a', { os: one, data: one });
    const b = await put(bench, 'b', { sda: two });
    expect((await compare(bench, a, a, { disk: 'data' })).disks.map(({ name }) => name)).toEqual(['data']);
    expect((await compare(bench, a, b, { disk: 'data' })).disks).toMatchObject([{ before: { name: 'data' } }]);
    await expect(compare(bench, a, a, { disk: 'sdb' })).rejects.toMatchObject({
      code: 'USAGE',
      message: 'no disk sdb is in both points',
      hint: `${a} has os, data; ${a} has os, data`,
    });
  });

  it('are never guessed among several: a disk that the other point of the item lacks is an error', async () => {
    const bench = await newBench();
    const [from, to] = [await put(bench, 'item', { os: one }), await put(bench, 'item', { os: one, data: two })];
    await expect(compare(bench, from, to, { disk: 'data' })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('have one size where they are of different items: else an error that tells both', async () => {
    const bench = await newBench();
    const [a, b] = [await put(bench, 'a', { os: one }), await put(bench, 'b', { os: longer })];
    await expect(compare(bench, a, b)).rejects.toMatchObject({
      code: 'DISK_SIZE',
      message: `os of ${a} has ${BLOCK} bytes, os of ${b} ${2 * BLOCK}`,
      details: { expected: BLOCK, found: 2 * BLOCK },
    });
  });

  it('are those that agree in size where some do not, which a warning names', async () => {
    const bench = await newBench();
    const a = await put(bench, 'a', { os: one, data: one });
    const b = await put(bench, 'b', { os: longer, data: two });
    const { disks, warnings } = await compare(bench, a, b);
    expect(disks).toMatchObject([{ name: 'data', changedBytes: BLOCK }]);
    expect(warnings).toEqual([`os of ${a} has ${BLOCK} bytes, os of ${b} ${2 * BLOCK}: not compared`]);
  });

  it('have something in common, or it is an error that tells what there is', async () => {
    const bench = await newBench();
    const a = await put(bench, 'a', { os: one, data: one });
    const b = await put(bench, 'b', { sda: one, sdb: one });
    await expect(compare(bench, a, b)).rejects.toMatchObject({
      code: 'USAGE',
      hint: `${a} has os, data; ${b} has sda, sdb`,
    });
  });
});
