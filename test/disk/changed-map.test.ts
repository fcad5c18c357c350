import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { buildLevels, ID_BYTES, isZeroPage, PAGE_BYTES, PAGE_IDS, ZERO_ID } from '../../src/disk/block-map.ts';
import { blocksPerCell, createTally } from '../../src/disk/change-tally.ts';
import { type Change, type ChangeRun, compareMaps } from '../../src/disk/changed-map.ts';

/** Contents of blocks as small numbers, 0 for zeros; as if written one after the other. */
interface Fill {
  start: number;
  count: number;
  content: number;
}

/** All pages of the maps made with it, and how they were asked for. */
class Pages {
  readonly #pages = new Map<string, Uint8Array>();
  read = 0;
  most = 0;

  add(page: Uint8Array): Uint8Array {
    if (isZeroPage(page)) return new Uint8Array(ID_BYTES);
    const id = new Uint8Array(createHash('sha256').update(page).digest());
    this.#pages.set(toHex(id), page);
    return id;
  }

  /** Knows no zero id: asking for it is an error. */
  readonly readPages = async (ids: readonly Uint8Array[]): Promise<Uint8Array[]> => {
    this.read += ids.length;
    this.most = Math.max(this.most, ids.length);
    return ids.map((id) => {
      const page = this.#pages.get(toHex(id));
      if (!page) throw new Error(`no page ${toHex(id)}`);
      return page;
    });
  };

  mapOf(blocks: Uint8Array): Uint8Array {
    const leaves = Math.max(1, Math.ceil(blocks.length / PAGE_IDS));
    const ids = new Uint8Array(leaves * ID_BYTES);
    for (let leaf = 0; leaf < leaves; leaf++) {
      const page = new Uint8Array(PAGE_BYTES);
      for (let n = 0; n < PAGE_IDS; n++) {
        const content = blocks[leaf * PAGE_IDS + n] ?? 0;
        if (content > 0) page.fill(content, n * ID_BYTES, (n + 1) * ID_BYTES);
      }
      ids.set(this.add(page), leaf * ID_BYTES);
    }
    return buildLevels(ids, (page) => this.add(page)).root;
  }
}

function filled(blocks: number, fills: readonly Fill[]): Uint8Array {
  const contents = new Uint8Array(blocks);
  for (const { start, count, content } of fills) contents.fill(content, start, start + count);
  return contents;
}

/** The fate of every block by looking at both, one after the other. */
function fates(before: Uint8Array, after: Uint8Array): (Change | undefined)[] {
  return Array.from({ length: Math.max(before.length, after.length) }, (_, n) => {
    const [was, is] = [before[n] ?? 0, after[n] ?? 0];
    if (was === is) return is === 0 ? undefined : 'kept';
    if (was === 0) return 'added';
    return is === 0 ? 'removed' : 'rewritten';
  });
}

async function runsOf(pages: Pages, from: Uint8Array, to: Uint8Array, kept = false): Promise<ChangeRun[]> {
  const found: ChangeRun[] = [];
  for await (const runs of compareMaps({ from, to, readPages: pages.readPages, kept })) {
    expect(runs).not.toEqual([]);
    found.push(...runs);
  }
  return found;
}

/** Unfolds runs; fails where they overlap or are out of order. */
function unfolded(runs: readonly ChangeRun[], blocks: number): (Change | undefined)[] {
  const found: (Change | undefined)[] = new Array(blocks).fill(undefined);
  let end = 0;
  for (const { block, blocks: count, change } of runs) {
    expect(block).toBeGreaterThanOrEqual(end);
    expect(count).toBeGreaterThan(0);
    end = block + count;
    found.fill(change, block, end);
  }
  expect(end).toBeLessThanOrEqual(blocks);
  return found;
}

const SEVERAL_LEVELS = 3 * PAGE_IDS * PAGE_IDS;

const fills = (blocks: number): fc.Arbitrary<Fill[]> =>
  fc.array(
    fc.record({
      start: fc.integer({ min: 0, max: blocks - 1 }),
      count: fc.oneof(
        fc.integer({ min: 1, max: 5 }),
        fc.constant(PAGE_IDS),
        fc.integer({ min: 1, max: 3 * PAGE_IDS }),
        fc.integer({ min: 1, max: 2 * PAGE_IDS * PAGE_IDS }),
      ),
      content: fc.integer({ min: 0, max: 3 }),
    }),
    { maxLength: 6 },
  );

describe('two block maps', () => {
  const sizes = fc.oneof(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: SEVERAL_LEVELS }));

  it('differ where their blocks differ, across leaf pages and the pages above them, whatever the sizes', async () => {
    await fc.assert(
      fc.asyncProperty(
        sizes,
        sizes,
        fills(SEVERAL_LEVELS),
        fills(SEVERAL_LEVELS),
        fc.boolean(),
        async (blocksBefore, blocksAfter, common, later, kept) => {
          const pages = new Pages();
          const before = filled(blocksBefore, common);
          const after = filled(blocksAfter, [...common, ...later]);
          const found = await runsOf(pages, pages.mapOf(before), pages.mapOf(after), kept);
          const expected = fates(before, after).map((fate) => (fate === 'kept' && !kept ? undefined : fate));
          expect(unfolded(found, expected.length)).toEqual(expected);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are not read at all where they are equal, unless the unchanged data is asked for', async () => {
    const pages = new Pages();
    const root = pages.mapOf(filled(1000, [{ start: 300, count: 3, content: 1 }]));
    expect(await runsOf(pages, root, root)).toEqual([]);
    expect(pages.read).toBe(0);
    expect(await runsOf(pages, root, root, true)).toEqual([{ block: 300, blocks: 3, change: 'kept' }]);
    expect(pages.read).toBe(4);
  });

  it('are read only where they differ: one page per level of each, however much they share', async () => {
    const pages = new Pages();
    const common = { start: 0, count: SEVERAL_LEVELS, content: 1 };
    const before = pages.mapOf(filled(SEVERAL_LEVELS, [common]));
    const after = pages.mapOf(filled(SEVERAL_LEVELS, [common, { start: 70_000, count: 1, content: 2 }]));
    expect(await runsOf(pages, before, after)).toEqual([{ block: 70_000, blocks: 1, change: 'rewritten' }]);
    expect(pages.read).toBe(8);
  });

  it('are read in batches that do not grow with the disk', async () => {
    const pages = new Pages();
    const blocks = Uint8Array.from({ length: SEVERAL_LEVELS }, (_, n) => 1 + (Math.floor(n / PAGE_IDS) % 250));
    const changed = blocks.map((content) => content + 1);
    const found = await runsOf(pages, pages.mapOf(blocks), pages.mapOf(changed));
    expect(found).toHaveLength(SEVERAL_LEVELS / PAGE_IDS);
    expect(pages.read).toBeGreaterThan(1500);
    expect(pages.most).toBeLessThanOrEqual(64);
  });

  it('know their last block, number 2^32 - 1', async () => {
    const pages = new Pages();
    let id: Uint8Array = new Uint8Array(ID_BYTES).fill(7);
    for (let level = 0; level < 4; level++) {
      const page = new Uint8Array(PAGE_BYTES);
      page.set(id, PAGE_BYTES - ID_BYTES);
      id = pages.add(page);
    }
    expect(await runsOf(pages, ZERO_ID, id)).toEqual([{ block: 2 ** 32 - 1, blocks: 1, change: 'added' }]);
    expect(await runsOf(pages, id, ZERO_ID)).toEqual([{ block: 2 ** 32 - 1, blocks: 1, change: 'removed' }]);
  });
});

describe('the tally', () => {
  const CHANGES = [undefined, 'kept', 'rewritten', 'added', 'removed'] as const;
  const disks = fc.array(fc.constantFrom(...CHANGES), { minLength: 1, maxLength: 300 });
  const eachAlone = (all: readonly (Change | undefined)[]): ChangeRun[] =>
    all.flatMap((change, block) => (change === undefined ? [] : [{ block, blocks: 1, change }]));

  it('shares blocks among slices and cells as counting them one by one does', () => {
    fc.assert(
      fc.property(disks, fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 64 }), (all, cells, slices) => {
        const tally = createTally({ size: all.length * 512, blockSize: 512, slices, cells });
        for (const run of eachAlone(all)) tally.add(run);
        const { strip, cells: found, blocks } = tally.result();
        const width = blocksPerCell(all.length, cells);
        expect(Math.log2(width) % 1).toBe(0);
        expect(found.length).toBeLessThanOrEqual(cells);
        expect(found).toEqual(
          Array.from({ length: found.length }, (_, n) => {
            const inCell = all.slice(n * width, (n + 1) * width);
            const share = (change: Change): number => inCell.filter((one) => one === change).length / inCell.length;
            return {
              rewritten: share('rewritten'),
              added: share('added'),
              removed: share('removed'),
              kept: share('kept'),
            };
          }),
        );
        expect(found.length * width).toBeGreaterThanOrEqual(all.length);
        // Every block cut into as many crumbs as there are slices: a slice has as many crumbs as the disk blocks.
        const crumbs = all.flatMap((change) => new Array(slices).fill(change !== undefined && change !== 'kept'));
        const inSlice = (n: number): boolean[] => crumbs.slice(n * all.length, (n + 1) * all.length);
        expect(strip).toEqual(Array.from({ length: slices }, (_, n) => inSlice(n).filter(Boolean).length / all.length));
        for (const change of ['rewritten', 'added', 'removed', 'kept'] as const) {
          expect(blocks[change]).toBe(all.filter((one) => one === change).length);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('joins neighbours of different kinds, over page borders too, and cuts the last block at the end of the disk', () => {
    const tally = createTally({ size: 3 * 4096 - 512, blockSize: 4096, slices: 64 });
    tally.add({ block: 1, blocks: 1, change: 'added' });
    tally.add({ block: 2, blocks: 1, change: 'removed' });
    const { ranges, bytes, cells } = tally.result();
    expect(ranges).toEqual([{ offset: 4096, length: 8192 - 512 }]);
    expect(bytes).toEqual({ rewritten: 0, added: 4096, removed: 4096 - 512, kept: 0 });
    expect(cells).toEqual([]);
  });
});
