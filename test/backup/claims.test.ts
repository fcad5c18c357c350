import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Claims, createClaimMemory } from '../../src/backup/claims.ts';

/** Ids that crowd: few stripes, few homes, so that chains grow, wrap and close. */
function crowdedId(n: number): Uint8Array {
  const id = new Uint8Array(createHash('sha256').update(`${n}`).digest());
  id.set([n % 3, 0, 0, 250 + (n % 7)]);
  return id;
}

describe('the claims of a run', () => {
  it('answer as a set does, over thousands of random claims and releases', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 60 })), { minLength: 500, maxLength: 3000 }),
        (steps) => {
          const memory = createClaimMemory(4096);
          const [one, other] = [new Claims(memory), new Claims(memory)];
          const model = new Set<number>();
          for (const [n, [claims, id]] of steps.entries()) {
            const door = n % 2 ? one : other;
            if (claims) expect(door.claim(crowdedId(id))).toBe(!model.has(id));
            else door.release(crowdedId(id));
            if (claims) model.add(id);
            else model.delete(id);
          }
          for (let id = 0; id <= 60; id++) expect(one.claim(crowdedId(id))).toBe(!model.has(id));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('answer "yours" when a stripe is full, and recover when it empties', () => {
    const claims = new Claims(createClaimMemory(64));
    const ids = Array.from({ length: 50 }, (_, n) => crowdedId(3 * n));
    for (const id of ids) expect(claims.claim(id)).toBe(true);
    for (const id of ids) claims.release(id);
    for (const id of ids.slice(0, 2)) {
      expect(claims.claim(id)).toBe(true);
      expect(claims.claim(id)).toBe(false);
    }
  });
});
