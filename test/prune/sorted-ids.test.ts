import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SortedIds } from '../../src/prune/sorted-ids.ts';
import { FIRST, type IdWords, idOfWords, oneOf, WORDS } from '../support/crowded-ids.ts';

/** Many of them the same but for the last word, or the first. */
const crowded: fc.Arbitrary<IdWords> = fc
  .tuple(oneOf(FIRST), oneOf(WORDS))
  .map(([first, last]) => [first, 0, 0, 0, 0, 0, 0, last]);

test('whole ids are found and seen as in sets, also those that came twice', () => {
  const ids = fc.array(crowded, { maxLength: 80, size: 'max' });
  fc.assert(
    fc.property(ids, ids, (all, asked) => {
      const table = new SortedIds(Buffer.concat(all.map(idOfWords)));
      const [known, seen] = [new Set(all.map(String)), new Set<string>()];
      for (const id of asked) {
        expect(table.has(idOfWords(id))).toBe(known.has(String(id)));
        table.see(idOfWords(id));
        if (known.has(String(id))) seen.add(String(id));
      }
      for (const id of [...all, ...asked]) expect(table.isSeen(idOfWords(id))).toBe(seen.has(String(id)));
    }),
    { numRuns: 200 },
  );
});
