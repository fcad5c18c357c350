import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  mergeSegments,
  openSegment,
  type Segment,
  type SegmentEntry,
  type SegmentPack,
  writeSegment,
} from '../../src/vault/block-index.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { VaultKeys } from '../../src/vault/vault.ts';
import { fixedRandom } from '../support/fixed-parts.ts';

const keys: VaultKeys = { family: new Uint8Array(16).fill(1), master: new Uint8Array(32).fill(2), encrypted: true };
const job = new Uint8Array(16).fill(7);
let count = 0;

/** A place of a block: its id, of few, and its pack. */
interface Place {
  id: number;
  pack: number;
}

const idOf = (id: number): Uint8Array => Buffer.alloc(32, id);
const nameOf = (pack: number): string => Buffer.alloc(32, pack).toString('hex');
const packOf = (pack: number): SegmentPack => ({ name: nameOf(pack), size: 1000 + pack, frames: 200 });
const entryOf = ({ id, pack }: Place): SegmentEntry => ({
  ...{ id: idOf(id), pack, offset: 96 + id, storedLength: 17 + pack, ordinal: id, codec: 1, kind: pack % 2 },
});

interface Given {
  /** In the order in which the segment lists them. */
  packs: number[];
  places: Place[];
}

/** Merges segments; gives what the new one lists, or undefined. */
async function merge(
  given: readonly Given[],
  leftOut: readonly number[] = [],
): Promise<{ places: string[]; packs: string[] } | undefined> {
  const store = openMemoryStore(`merge-${count++}`);
  const random = fixedRandom();
  const segments: Segment[] = [];
  for (const [n, { packs, places }] of given.entries()) {
    const entries = places
      .map((place) => ({ ...entryOf(place), pack: packs.indexOf(place.pack) }))
      .sort((a, b) => Buffer.compare(a.id, b.id) || a.pack - b.pack);
    const path = `segment-${n}`;
    await writeSegment({ store, keys, random, job, path, packs: packs.map(packOf), entries });
    segments.push(await openSegment(store, keys, path));
  }
  const names = new Set(leftOut.map(nameOf));
  const merged = await mergeSegments({
    ...{ store, keys, random, job, path: 'merged', segments, leavesOut: (name) => names.has(name) },
  });
  if (!merged) return undefined;
  const segment = await openSegment(store, keys, 'merged');
  expect(segment.packs).toEqual(merged.packs);
  const pages = await Array.fromAsync(segment.pages());
  const found = pages.flat().map(({ pack, ...entry }) => tell({ ...entry, pack: segment.packs[pack]!.name }));
  expect(segment.entries).toBe(found.length);
  return { places: found.sort(), packs: segment.packs.map(({ name }) => name) };
}

function tell({
  id,
  pack,
  offset,
  storedLength,
  ordinal,
  kind,
}: Omit<SegmentEntry, 'pack'> & { pack: string }): string {
  return [id[0], pack.slice(0, 4), offset, storedLength, ordinal, kind].join(' ');
}

function expected(given: readonly Given[], leftOut: readonly number[]): string[] {
  const all = given.flatMap(({ places }) => places).filter(({ pack }) => !leftOut.includes(pack));
  return [...new Set(all.map((place) => tell({ ...entryOf(place), pack: nameOf(place.pack) })))].sort();
}

describe('segments that are merged', () => {
  const given: fc.Arbitrary<Given> = fc
    .uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 })
    .chain((packs) =>
      fc.record({
        packs: fc.constant(packs),
        places: fc.uniqueArray(fc.record({ id: fc.integer({ min: 1, max: 40 }), pack: fc.constantFrom(...packs) }), {
          selector: ({ id, pack }) => `${id} ${pack}`,
          maxLength: 60,
        }),
      }),
    );

  it('keep every place of every block once, but for packs that are left out, in whatever order they list them', async () => {
    const law = async (segments: Given[], leftOut: number[]): Promise<void> => {
      const merged = await merge(segments, leftOut);
      const left = segments.flatMap(({ packs }) => packs).some((pack) => !leftOut.includes(pack));
      expect(merged !== undefined).toBe(left);
      if (merged) expect(merged.places).toEqual(expected(segments, leftOut));
    };
    const groups = fc.array(given, { minLength: 1, maxLength: 6 });
    await fc.assert(fc.asyncProperty(groups, fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 4 }), law), {
      numRuns: 150,
    });
  });

  it('list the same packs in another order and hold the same block in both', async () => {
    const places = [
      { id: 5, pack: 1 },
      { id: 5, pack: 2 },
    ];
    const merged = await merge([
      { packs: [1, 2], places },
      { packs: [2, 1, 3], places: [...places, { id: 5, pack: 3 }] },
    ]);
    expect(merged?.places).toHaveLength(3);
  });

  it('fill pages whose borders fall between the places of a block', async () => {
    const many = Array.from({ length: 6 }, (_, n) => {
      const packs = Array.from({ length: 60 }, (_, k) => n * 20 + k + 1);
      return { packs, places: packs.flatMap((pack) => Array.from({ length: 12 }, (_, id) => ({ id: id + 1, pack }))) };
    });
    const merged = await merge(many);
    expect(merged?.places).toEqual(expected(many, []));
    expect(merged!.places.length).toBe(12 * 160);
  });
});
