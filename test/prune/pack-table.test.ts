import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PackTable } from '../../src/prune/pack-table.ts';

interface DrawnPack {
  frames: number;
  condemned: boolean;
  quarantined: 'all' | number[] | undefined;
}

const packs: fc.Arbitrary<DrawnPack[]> = fc.array(
  fc.record({
    frames: fc.constantFrom(1, 2, 7, 8, 9, 15, 16, 17, 64),
    condemned: fc.boolean(),
    quarantined: fc.option(fc.oneof(fc.constant('all' as const), fc.array(fc.nat(63), { maxLength: 4, size: 'max' })), {
      nil: undefined,
    }),
  }),
  { minLength: 1, maxLength: 12, size: 'max' },
);

const steps = fc.array(
  fc.record({ what: fc.constantFrom('keep', 'double'), pack: fc.nat(), frame: fc.nat(), bytes: fc.nat(1000) }),
  { maxLength: 200, size: 'max' },
);

test('packs are numbered in their order, and their frames kept and doubled each on its own, as in sets', () => {
  fc.assert(
    fc.property(packs, steps, (drawn, doing) => {
      const name = (n: number): string => `${n}`.padStart(64, '0');
      const condemned = new Map(drawn.flatMap((pack, n) => (pack.condemned ? [[name(n), SINCE] as const] : [])));
      const quarantined = new Map(
        drawn.flatMap(({ quarantined: frames }, n) =>
          frames === undefined ? [] : [[name(n), { sequence: 1, frames }] as const],
        ),
      );
      const table = new PackTable();
      const add = (n: number): number =>
        table.add({ name: name(n), size: 100 + n, frames: drawn[n]!.frames }, { condemned, quarantined });
      for (const n of drawn.keys())
        expect([table.numberOf(name(n)), add(n), add(n >> 1)]).toEqual([undefined, n, n >> 1]);
      table.complete();
      const sets = { keep: new Set<string>(), double: new Set<string>() };
      const bytesOf = drawn.map(() => 0);
      for (const { what, pack, frame, bytes } of doing) {
        const n = pack % drawn.length;
        const at = frame % drawn[n]!.frames;
        if (what === 'keep') table.keep(n, at, bytes);
        else table.double(n, at);
        if (what === 'keep' && !sets.keep.has(`${n} ${at}`)) bytesOf[n]! += bytes;
        sets[what as keyof typeof sets].add(`${n} ${at}`);
      }
      for (const [n, pack] of drawn.entries()) {
        const ordinals = Array.from({ length: pack.frames }, (_, at) => at);
        const inSet = (set: Set<string>): number[] => ordinals.filter((at) => set.has(`${n} ${at}`));
        expect(ordinals.filter((at) => table.isKept(n, at))).toEqual(inSet(sets.keep));
        expect(ordinals.filter((at) => table.isDoubled(n, at))).toEqual(inSet(sets.double));
        expect(table.packs[n]).toMatchObject({
          ...{ name: name(n), size: 100 + n, keptBytes: bytesOf[n] },
          ...{ kept: inSet(sets.keep).length, doubled: inSet(sets.double).length },
        });
        expect(table.isUsable(n)).toBe(!pack.condemned && pack.quarantined === undefined);
        expect(ordinals.filter((at) => table.serves(n, at))).toEqual(ordinals.filter((at) => servesBy(pack, at)));
      }
    }),
    { numRuns: 150 },
  );
});

const SINCE = { sequence: 1, time: 1 };

function servesBy({ condemned, quarantined }: DrawnPack, frame: number): boolean {
  if (condemned || quarantined === 'all') return false;
  return !quarantined?.includes(frame);
}
