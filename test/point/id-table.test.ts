import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { IdTable } from '../../src/point/id-table.ts';

/** Ids as a vault has them: hashes. */
const idOf = (n: number): Uint8Array => createHash('sha256').update(String(n)).digest();

test('a table of ids keeps what a Map keeps, however it grows', () => {
  const changes = fc.array(fc.tuple(fc.nat(6000), fc.nat(2 ** 32 - 1)), { minLength: 3000, maxLength: 5000 });
  fc.assert(
    fc.property(changes, (all) => {
      const [table, map] = [new IdTable(), new Map<number, number>()];
      for (const [n, number] of all) {
        expect(table.set(idOf(n), 0, number)).toBe(!map.has(n));
        map.set(n, number);
      }
      expect(table.size).toBe(map.size);
      for (let n = 0; n <= 6000; n++) expect(table.get(idOf(n))).toBe(map.get(n));
      expect([...table.numbers()].sort()).toEqual([...map.values()].sort());
    }),
    { numRuns: 4, endOnFailure: true },
  );
});

test('a table without numbers tells only what is in it, and finds ids within a page', () => {
  const table = new IdTable({ numbers: false });
  const page = Buffer.concat([idOf(1), new Uint8Array(32), idOf(2)]);
  expect([table.set(page, 2), table.set(idOf(2)), table.size]).toEqual([true, false, 1]);
  expect([0, 1, 2].map((n) => table.get(page, n))).toEqual([undefined, undefined, 0]);
});
