import { describe, expect, it } from 'vitest';
import { mergeIndex } from '../../src/prune/merge-index.ts';
import { countsOf, planMerges, type SegmentFacts } from '../../src/prune/plan-merges.ts';
import { gcScene, listed } from '../support/gc-scene.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const MIO = 2 ** 20;
let count = 0;

function segment(entries: number, packs: string[] = [`pack-${count}`]): SegmentFacts {
  return { name: `segment-${count++}`, entries, packs: packs.map((name) => ({ name, size: 1000 })) };
}

const names = (segments: readonly SegmentFacts[]): string[] => segments.map(({ name }) => name);
const none = (): boolean => false;

describe('segments to merge', () => {
  it('are those of a tier, once there are eight', () => {
    const seven = Array.from({ length: 7 }, () => segment(100));
    const large = Array.from({ length: 7 }, () => segment(10_000));
    expect(planMerges([...seven, ...large], none)).toEqual({ dropped: [], merged: [] });
    const eight = [...seven, segment(5000)];
    expect(planMerges([...eight, ...large], none)).toEqual({ dropped: [], merged: [names(eight)] });
  });

  it('make segments of at most 16 million entries, and those that are longer than half of that stay', () => {
    const quarters = Array.from({ length: 9 }, () => segment(4 * MIO));
    const { merged } = planMerges([...quarters, ...Array.from({ length: 20 }, () => segment(9 * MIO))], none);
    expect(merged.map((group) => group.length)).toEqual([4, 4]);
    const eighths = Array.from({ length: 8 }, () => segment(7 * MIO));
    expect(planMerges(eighths, none).merged.map((group) => group.length)).toEqual([2, 2, 2, 2]);
  });

  it('are not more at once than fit into memory', () => {
    const many = Array.from({ length: 1000 }, () => segment(10));
    const { merged } = planMerges(many, none);
    expect(merged.flat()).toEqual(names(many));
    expect(Math.max(...merged.map((group) => group.length))).toBeLessThanOrEqual(128);
  });

  it('are written anew when a quarter of their packs is condemned, and dropped when all are', () => {
    const isGone = (pack: string): boolean => pack.startsWith('x');
    const [few, quarter, all] = [
      segment(10, ['a', 'b', 'c', 'd', 'x1']),
      segment(10, ['a', 'b', 'c', 'x1']),
      segment(10, ['x1', 'x2']),
    ];
    expect(planMerges([few, quarter, all], isGone)).toEqual({ dropped: [all.name], merged: [[quarter.name]] });
    const tier = Array.from({ length: 8 }, () => segment(10, ['a', 'x1']));
    expect(planMerges([...tier, all], isGone)).toEqual({ dropped: [all.name], merged: [names(tier)] });
  });

  it('come to an end: as long as something is merged there are fewer of them', () => {
    let segments = Array.from({ length: 5000 }, (_, n) => segment(1 + ((n * 7919) % 60_000)));
    let rounds = 0;
    for (; rounds < 20; rounds++) {
      const { merged } = planMerges(segments, none);
      if (merged.length === 0) break;
      const gone = new Set(merged.flat());
      const made = merged.map((group) =>
        segment(segments.filter(({ name }) => group.includes(name)).reduce((sum, { entries }) => sum + entries, 0)),
      );
      const before = segments.length;
      segments = [...segments.filter(({ name }) => !gone.has(name)), ...made];
      expect(segments.length).toBeLessThan(before);
    }
    expect(rounds).toBeLessThan(12);
    expect(segments.length).toBeLessThan(60);
  });
});

describe('the counts of a merged segment', () => {
  it('are those of the segments that it took the place of, less the packs that nothing lists any more', () => {
    const counted = [
      { packs: 5, bytes: 5000 },
      { packs: 0, bytes: 0 },
    ];
    expect(countsOf(counted, [{ size: 1000 }, { size: 500 }])).toEqual({ packs: 3, bytes: 3500 });
    expect(countsOf([{ packs: 0, bytes: 0 }], [{ size: 1000 }])).toEqual({ packs: 0, bytes: 0 });
  });
});

describe('an index', () => {
  it('of many small segments becomes one of few, and finds everything', async () => {
    const scene = await gcScene(folder.fresh('merged'));
    for (let n = 0; n < 9; n++) await scene.save(`item${n % 2}`, `${'abcdefghij'.slice(0, n + 1)}${n}`);
    const before = await listed(scene);
    expect((await scene.gc()).merged).toEqual({ segments: 9, into: 1 });
    const after = await listed(scene);
    expect(after.segments).toHaveLength(1);
    expect({ ...after, segments: [] }).toEqual({ ...before, segments: [] });
    await scene.check();
    await scene.save('item0', 'abcdefghijkl');
    expect((await scene.gc()).merged).toEqual({ segments: 0, into: 0 });
  });

  it('that another gc merges first is left to that one', async () => {
    const scene = await gcScene(folder.fresh('beaten'));
    for (let n = 0; n < 9; n++) await scene.save(`item${n}`, `${n}abc`);
    scene.wrap(
      happensBefore(
        (what) => what.startsWith('rename index/'),
        async () => {
          await using session = await scene.bench.open();
          await mergeIndex(session.vault, {}, ({ segments }) => expect(segments).toBe(9));
        },
      ),
    );
    expect((await scene.gc()).merged).toEqual({ segments: 0, into: 0 });
    const { segments, packs } = await listed(scene);
    expect(segments).toHaveLength(1);
    await scene.gc();
    expect(await scene.bench.store.list('index')).toHaveLength(1);
    expect(packs.size).toBe((await scene.packs()).length);
    await scene.check();
  });
});
