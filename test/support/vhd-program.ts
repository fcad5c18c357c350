import fc from 'fast-check';
import type { Link, Write } from './vhd-chain.ts';

/** Chains as data: a base of any kind, then one to four differencing images, each of its own size and block size. */
export function chains(): fc.Arbitrary<Link[]> {
  return fc
    .tuple(linkOf('raw', 'fixed', 'dynamic'), fc.array(linkOf('differencing'), { minLength: 1, maxLength: 4 }))
    .map(([base, children]) => [base, ...children]);
}

function linkOf(...kinds: Link['kind'][]): fc.Arbitrary<Link> {
  return fc.record({
    kind: fc.constantFrom(...kinds),
    size: fc.integer({ min: 1, max: 200 }).map((sectors) => sectors * 512),
    blockSize: fc.constantFrom(4096, 8192, 16384, 65536),
    writes: fc.array(writeOf(), { maxLength: 6 }),
    locator: fc.constantFrom('W2ru', 'W2ku', 'MacX', 'name', 'path-name'),
    backwards: fc.boolean(),
    gap: fc.constantFrom(0, 1, 7),
  });
}

function writeOf(): fc.Arbitrary<Write> {
  return fc.record({
    sector: fc.integer({ min: 0, max: 199 }),
    count: fc.integer({ min: 1, max: 40 }),
    seed: fc.integer({ min: 1, max: 250 }),
  });
}

/** A link with the usual values. */
export function link(kind: Link['kind'], changes: Partial<Link> = {}): Link {
  return { kind, size: 102400, blockSize: 8192, writes: [], locator: 'W2ru', backwards: false, gap: 0, ...changes };
}
