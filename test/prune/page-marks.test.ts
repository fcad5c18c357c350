import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { slotsFor } from '../../src/prune/id-marks.ts';
import { PageMarks, type ReachedPage } from '../../src/prune/page-marks.ts';
import { FIRST, type IdWords, oneOf, viewOfWords, WORDS } from '../support/crowded-ids.ts';

/**
 * Pages that differ in one word only, be it the second, the third or the fourth; what has another first word has another fourth one,
 * since the first only chooses the slot.
 */
const crowded: fc.Arbitrary<IdWords> = fc
  .tuple(fc.nat(FIRST.length - 1), oneOf(WORDS), oneOf(WORDS), fc.nat(3), fc.nat(1))
  .map(([n, second, third, fourth, rest]) => [FIRST[n]!, second, third, n + FIRST.length * fourth, rest, 0, 0, 0]);

const reached: fc.Arbitrary<ReachedPage> = fc.record({
  level: fc.nat(3),
  owner: fc.constantFrom(0, 1, 2, 2 ** 27 - 1, 2 ** 28 - 2),
});

interface Page extends Partial<ReachedPage> {
  isRead: boolean;
  isPlaced: boolean;
}

const keyOf = (id: IdWords): string => id.slice(0, 4).join(' ');

describe('the map pages of an index', () => {
  it('are reached, read, placed and forgotten each on its own, as in a Map', () => {
    const ids = fc.array(crowded, { minLength: 1, maxLength: 120, size: 'max' });
    const kinds = fc.constantFrom('reach', 'reach', 'reach', 'read', 'read', 'place', 'forget');
    const steps = fc.array(fc.tuple(kinds, fc.nat(), fc.option(crowded), reached), { maxLength: 150, size: 'max' });
    fc.assert(
      fc.property(ids, steps, (all, doing) => {
        const model = new Map<string, Page>(all.map((id) => [keyOf(id), { isRead: false, isPlaced: false }]));
        const marks = new PageMarks(model.size);
        for (const id of all) marks.add(viewOfWords(id), 0);
        const slotOf = (id: IdWords): number => marks.find(viewOfWords(id), 0);
        for (const [what, n, other, { level, owner }] of doing) {
          const id = other ?? all[n % all.length]!;
          const [slot, page] = [slotOf(id), model.get(keyOf(id))];
          expect(slot >= 0).toBe(page !== undefined);
          if (what === 'forget') {
            marks.forgetLeaves();
            for (const one of model.values()) if (one.level === 0) one.isRead = false;
          } else if (page && what === 'reach') {
            marks.reach(slot, level, owner);
            if (page.level === undefined) Object.assign(page, { level, owner });
          } else if (page && what === 'place') {
            expect(marks.place(slot)).toBe(!page.isPlaced);
            page.isPlaced = true;
          } else if (page && what === 'read' && marks.isWaiting(slot)) {
            marks.setRead(slot);
            page.isRead = true;
          }
          const waiting = [...model.values()].filter((one) => one.level !== undefined && !one.isRead);
          expect(marks.waiting).toBe(waiting.length);
        }
        for (const id of all) {
          const [slot, page] = [slotOf(id), model.get(keyOf(id))!];
          const isReached = page.level !== undefined;
          expect([marks.isReached(slot), marks.isRead(slot)]).toEqual([isReached, page.isRead]);
          expect([marks.isWaiting(slot), marks.isPlaced(slot)]).toEqual([isReached && !page.isRead, page.isPlaced]);
          if (isReached) expect(marks.facts(slot)).toEqual({ level: page.level, owner: page.owner });
        }
        const owners = [...model.values()].filter((page) => page.owner !== undefined && !page.isRead);
        expect(marks.waitingOwners()).toEqual(new Set(owners.map(({ owner }) => owner)));
        expect(new Set(all.map(slotOf)).size).toBe(model.size);
      }),
      { numRuns: 150 },
    );
  });

  it('that are not there are neither reached nor read', () => {
    const marks = new PageMarks(3);
    const slot = marks.find(viewOfWords([1, 2, 3, 4, 5, 6, 7, 8]), 0);
    expect([slot, marks.isReached(slot), marks.isRead(slot), marks.isWaiting(slot)]).toEqual([-1, false, false, false]);
  });

  it('are as many as slots but one: who looks for another still comes to an end, and one more is a bug', () => {
    for (const count of [0, 1, 13, 14, 15, 16, 17, 100]) {
      const marks = new PageMarks(count);
      const most = slotsFor(count) - 1;
      const id = (n: number): DataView => viewOfWords([0xffff_ffff, 0, 0, n, 0, 0, 0, 0]);
      for (let n = 0; n < most; n++) marks.add(id(n), 0);
      for (let n = 0; n < most; n++) expect(marks.find(id(n), 0)).toBeGreaterThanOrEqual(0);
      expect(marks.find(id(most), 0)).toBe(-1);
      marks.add(id(0), 0);
      expect(() => marks.add(id(most), 0)).toThrow(expect.objectContaining({ code: 'BUG' }));
    }
  });
});
