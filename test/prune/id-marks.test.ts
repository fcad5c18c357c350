import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdMarks, slotsFor } from '../../src/prune/id-marks.ts';
import { FIRST, type IdWords, oneOf, viewOfWords, WORDS } from '../support/crowded-ids.ts';

/** Ids of which many have the first 32 bits of another one, or the next 32, or both. */
const crowded: fc.Arbitrary<IdWords> = fc
  .tuple(oneOf(FIRST), fc.oneof(oneOf(WORDS), fc.nat(40)), fc.nat(1))
  .map(([first, word, rest]) => [first, word, 0, 0, 0, 0, 0, rest]);

/** Ids of which no two have the next 32 bits in common, so that none is taken for another. */
const apart: fc.Arbitrary<IdWords> = fc
  .tuple(fc.nat(FIRST.length - 1), fc.nat(20))
  .map(([n, word]) => [FIRST[n]!, 1 + n + FIRST.length * word, 0, 0, 0, 0, 0, 0]);

const ranges: fc.Arbitrary<{ low: number; high: number }> = fc.constantFrom(
  { low: 0, high: 2 ** 32 },
  { low: 0, high: 2 },
  { low: 1, high: 0x8000_0000 },
  { low: 0x8000_0000, high: 2 ** 32 },
  { low: 0xffff_fffe, high: 2 ** 32 },
  { low: 0xffff_ffff, high: 2 ** 32 },
);

const secondOf = ([, second]: IdWords): number => second! || 1;
const keyOf = (id: IdWords): string => `${id[0]} ${secondOf(id)}`;

interface Marked {
  marks: IdMarks;
  added: IdWords[];
  isInRange(id: IdWords): boolean;
  slotOf(id: IdWords): number;
}

/** A table that was made for exactly the ids of its range that come. */
function markedBy(ids: readonly IdWords[], { low, high }: { low: number; high: number }): Marked {
  const isInRange = ([first]: IdWords): boolean => first! >= low && first! < high;
  const added = ids.filter(isInRange);
  const marks = new IdMarks(new Set(added.map(keyOf)).size, low, high);
  for (const id of ids) marks.add(viewOfWords(id), 0);
  return { marks, added, isInRange, slotOf: (id) => marks.find(viewOfWords(id), 0) };
}

describe('the ids of an index', () => {
  it('are marked and placed as in a Map, where none has the second word of another', () => {
    const ids = fc.array(apart, { maxLength: 150, size: 'max' });
    const steps = fc.array(fc.tuple(apart, fc.constantFrom('need', 'place')), { maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(ids, ranges, steps, (all, range, doing) => {
        const { marks, added, isInRange, slotOf } = markedBy(all, range);
        const known = new Set(added.map(keyOf));
        const [needed, placed] = [new Set<string>(), new Set<string>()];
        for (const [id, what] of doing) {
          const slot = slotOf(id);
          expect(slot >= 0).toBe(known.has(keyOf(id)));
          if (slot < 0) continue;
          if (what === 'place') expect(marks.place(slot)).toBe(!placed.has(keyOf(id)));
          else marks.need(slot);
          (what === 'place' ? placed : needed).add(keyOf(id));
        }
        for (const id of [...all, ...doing.map(([id]) => id)]) {
          expect(marks.isInRange(viewOfWords(id), 0)).toBe(isInRange(id));
          expect(marks.isNeeded(slotOf(id))).toBe(needed.has(keyOf(id)));
          if (slotOf(id) >= 0) expect(marks.isPlaced(slotOf(id))).toBe(placed.has(keyOf(id)));
        }
        const slots = [...new Map(added.map((id) => [keyOf(id), slotOf(id)])).values()];
        expect(new Set(slots).size).toBe(slots.length);
      }),
      { numRuns: 150 },
    );
  });

  it('are never fewer than were marked, however much they crowd, and never more than have the second word of one', () => {
    const ids = fc.array(crowded, { maxLength: 200, size: 'max' });
    fc.assert(
      fc.property(ids, ranges, ids, (all, range, needed) => {
        const { marks, added, isInRange, slotOf } = markedBy(all, range);
        for (const id of needed) if (slotOf(id) >= 0) marks.need(slotOf(id));
        for (const id of added) expect(slotOf(id)).toBeGreaterThanOrEqual(0);
        const [keys, seconds] = [new Set(added.map(keyOf)), new Set(added.map(secondOf))];
        const asked = new Set(needed.filter((id) => isInRange(id) && seconds.has(secondOf(id))).map(secondOf));
        for (const id of needed) {
          if (keys.has(keyOf(id))) expect(marks.isNeeded(slotOf(id))).toBe(true);
          if (!isInRange(id) || !seconds.has(secondOf(id))) expect(slotOf(id)).toBe(-1);
        }
        for (const id of added) if (!asked.has(secondOf(id))) expect(marks.isNeeded(slotOf(id))).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it('are as many as slots but one: who looks for another still comes to an end, and one more is a bug', () => {
    for (const count of [0, 1, 13, 14, 15, 16, 17, 100]) {
      const marks = new IdMarks(count);
      const most = slotsFor(count) - 1;
      expect(most).toBeGreaterThanOrEqual(count);
      const id = (n: number): DataView => viewOfWords([0xffff_ffff, n + 1, 0, 0, 0, 0, 0, 0]);
      for (let n = 0; n < most; n++) marks.add(id(n), 0);
      for (let n = 0; n < most; n++) expect(marks.find(id(n), 0)).toBeGreaterThanOrEqual(0);
      expect(marks.find(id(most), 0)).toBe(-1);
      marks.add(id(0), 0);
      expect(() => marks.add(id(most), 0)).toThrow(expect.objectContaining({ code: 'BUG' }));
    }
  });
});
