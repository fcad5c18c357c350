import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { applyStep, SECTOR, type Step } from './disk-program.ts';
import { rawDisk, type VaultBench } from './vault-bench.ts';

export const BLOCK: number = 16 * 1024;
/** Two leaf pages, and no whole number of blocks. */
export const SECTORS: number = 290 * 32 + 5;
const PAGE_IDS = 256;
const ZEROS = new Uint8Array(BLOCK);

/** One point to make: whose, whether the other item's disk is copied first, and what is written before. */
export interface PointStep {
  item: 'a' | 'b';
  copy: boolean;
  writes: Step[];
}

/** Two to four points of one or two items, whose disks have many blocks in common, at the same and at other places. */
export function pointPrograms(): fc.Arbitrary<PointStep[]> {
  const sector = fc.integer({ min: 0, max: SECTORS - 1 });
  const write: fc.Arbitrary<Step> = fc.record({
    do: fc.constant('write' as const),
    sector: fc.oneof(
      sector,
      sector.map((n) => n - (n % 32)),
      fc.constantFrom(0, 32, 256 * 32, 257 * 32),
    ),
    count: fc.constantFrom(1, 32, 32, 64, 90),
    seed: fc.integer({ min: 1, max: 3 }),
    content: fc.constantFrom('noise', 'noise', 'text', 'zeros'),
  });
  const step = fc.record({
    item: fc.constantFrom('a' as const, 'a' as const, 'b' as const),
    copy: fc.boolean(),
    writes: fc.array(write, { maxLength: 4 }),
  });
  return fc.array(step, { minLength: 2, maxLength: 4 });
}

export function writeNoise(sector: number, count: number, seed: number): Step {
  return { do: 'write', sector, count, seed, content: 'noise' };
}

/** Blocks that are equal at other places, a page that two points have, and blocks that only one has. */
export const FOUR_POINTS: readonly PointStep[] = [
  { item: 'a', copy: false, writes: [writeNoise(0, 90, 1)] },
  { item: 'b', copy: false, writes: [writeNoise(257 * 32, 64, 1)] },
  { item: 'a', copy: false, writes: [writeNoise(100 * 32, 32, 2)] },
  { item: 'b', copy: false, writes: [writeNoise(0, 32, 3)] },
];

/** Two points that are equal, one page at two places of a disk, and blocks that are in a page of one's own and in a shared one. */
export const EQUAL_PAGES: readonly PointStep[] = [
  { item: 'b', copy: false, writes: [writeNoise(257 * 32, 64, 1)] },
  { item: 'a', copy: true, writes: [] },
  { item: 'b', copy: false, writes: [writeNoise(0, 64, 1)] },
  {
    ...{ item: 'a', copy: false },
    writes: [
      { do: 'write', sector: 0, count: SECTORS, seed: 1, content: 'zeros' },
      writeNoise(5 * 32, 32, 2),
      writeNoise(261 * 32, 32, 2),
    ],
  },
];

/** Makes the points; gives their references. */
export async function makePoints(bench: VaultBench, steps: readonly PointStep[]): Promise<string[]> {
  await mkdir(bench.folder, { recursive: true });
  const disks = { a: new Uint8Array(SECTORS * SECTOR), b: new Uint8Array(SECTORS * SECTOR) };
  const points: string[] = [];
  for (const { item, copy, writes } of steps) {
    const start = disks[copy ? (item === 'a' ? 'b' : 'a') : item];
    disks[item] = writes.reduce<Uint8Array>(applyStep, start) as (typeof disks)['a'];
    const { point } = await bench.backup(item, [await rawDisk(join(bench.folder, item), disks[item])]);
    points.push(`${item}@${point}`);
  }
  return points;
}

/** The packs of all segments, or of those from the `from`-th on. */
export async function packsOf(
  bench: VaultBench,
  from = 0,
): Promise<{ packs: string[]; frames: number; bytes: number }> {
  await using session = await bench.open();
  const { store, keys, state } = session.vault;
  const found = { packs: [] as string[], frames: 0, bytes: 0 };
  for (const { segment: name } of state.segments.slice(from)) {
    await using segment = await openSegment(store, keys, segmentPath(name));
    found.packs.push(...segment.packs.map((pack) => pack.name));
    found.frames += segment.packs.reduce((sum, { frames }) => sum + frames, 0);
    found.bytes += segment.packs.reduce((sum, { size }) => sum + size, 0);
  }
  return found;
}

/** What a disk needs, by its content alone: blocks that are not zero, and the pages of a map of them. */
export interface Contents {
  /** One for each block that is not zero, equal ones as often as they are there. */
  all: string[];
  blocks: Set<string>;
  pages: Set<string>;
}

export function contentsOf(disk: Uint8Array): Contents {
  const contents: Contents = { all: [], blocks: new Set(), pages: new Set() };
  let names: string[] = [];
  for (let at = 0; at < disk.byteLength; at += BLOCK) {
    const block = new Uint8Array(BLOCK);
    block.set(disk.subarray(at, at + BLOCK));
    names.push(Buffer.compare(block, ZEROS) === 0 ? '' : hash(block));
  }
  contents.all = names.filter((name) => name !== '');
  contents.blocks = new Set(contents.all);
  for (let level = 0; level < 4; level++) {
    const groups = Array.from({ length: Math.ceil(names.length / PAGE_IDS) }, (_, n) =>
      names.slice(n * PAGE_IDS, (n + 1) * PAGE_IDS),
    );
    names = groups.map((group) => (group.some((name) => name !== '') ? hash(pageText(level, group)) : ''));
    for (const name of names) if (name !== '') contents.pages.add(name);
  }
  return contents;
}

/** Short pages are padded with zero ids, so that a page is the same whatever the disk's end. */
function pageText(level: number, names: readonly string[]): string {
  return `${level} ${names.join(' ').trimEnd()}`;
}

function hash(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}
