import { asBuffer } from '../base/hex.ts';
import { ID_BYTES, isZeroId, LEVELS, PAGE_BYTES, PAGE_IDS } from './block-map.ts';

/** What became of a block: other data, data where zeros were, zeros where data was, or the data that was there before. */
export type Change = 'rewritten' | 'added' | 'removed' | 'kept';

/** Neighbouring blocks with the same fate. */
export interface ChangeRun {
  block: number;
  blocks: number;
  change: Change;
}

export interface MapPair {
  /** Ids of the root pages. */
  from: Uint8Array;
  to: Uint8Array;
  /** Gives the pages in the order of their ids; never asked for the zero id, which is a page of zeros. */
  readPages(ids: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /** Tell the blocks with unchanged data, too: then pages that both maps share are read as well. */
  kept?: boolean;
}

/** Two pages at one place of the two maps; `first` is the block that the place begins with. */
interface Place {
  level: number;
  first: number;
  from: Uint8Array;
  to: Uint8Array;
}

/** Places that are read at once, per level: pages of one map mostly lie side by side. */
const BATCH = 32;
const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

/**
 * Compares two block maps, in order: one list of runs for every place where leaf pages had to be looked at, never an
 * empty one. Equal ids are not descended into. All maps have the same levels whatever the disk's size, and ids beyond
 * an end are zero: so disks of different sizes are compared as if the smaller one went on with zeros.
 */
export function compareMaps(maps: MapPair): AsyncGenerator<ChangeRun[]> {
  const root: Place = { level: LEVELS - 1, first: 0, from: maps.from, to: maps.to };
  return descend(maps, isTelling(maps, root) ? [root] : []);
}

/** Holds one batch of pages per level, however large the disks are. */
async function* descend(maps: MapPair, places: readonly Place[]): AsyncGenerator<ChangeRun[]> {
  for (let start = 0; start < places.length; start += BATCH) {
    const batch = places.slice(start, start + BATCH);
    const pages = await loadPages(maps, batch);
    for (const [n, place] of batch.entries()) {
      const [before, after] = pages[n]!;
      if (place.level > 0) {
        yield* descend(maps, placesBelow(maps, place, before, after));
        continue;
      }
      const runs = leafRuns(place.first, before, after, maps.kept ?? false);
      if (runs.length > 0) yield runs;
    }
  }
}

/** The two pages of every place; one that both maps share is read once. */
async function loadPages({ readPages }: MapPair, places: readonly Place[]): Promise<[Uint8Array, Uint8Array][]> {
  const ids: Uint8Array[] = [];
  const ask = (id: Uint8Array): number => (isZeroId(id) ? -1 : ids.push(id) - 1);
  const asked = places.map(({ from, to }) => {
    const before = ask(from);
    return [before, equalIds(from, to) ? before : ask(to)] as const;
  });
  const pages = await readPages(ids);
  const pageAt = (n: number): Uint8Array => (n < 0 ? ZERO_PAGE : pages[n]!);
  return asked.map(([before, after]) => [pageAt(before), pageAt(after)]);
}

function placesBelow(maps: MapPair, { level, first }: Place, before: Uint8Array, after: Uint8Array): Place[] {
  const blocks = PAGE_IDS ** level;
  const below = Array.from({ length: PAGE_IDS }, (_, n) => {
    return { level: level - 1, first: first + n * blocks, from: idAt(before, n), to: idAt(after, n) };
  });
  return below.filter((place) => isTelling(maps, place));
}

function isTelling({ kept }: MapPair, { from, to }: Place): boolean {
  return !equalIds(from, to) || (kept === true && !isZeroId(to));
}

function leafRuns(first: number, before: Uint8Array, after: Uint8Array, kept: boolean): ChangeRun[] {
  const runs: ChangeRun[] = [];
  for (let n = 0; n < PAGE_IDS; n++) {
    const change = changeOf(idAt(before, n), idAt(after, n));
    if (change === undefined || (change === 'kept' && !kept)) continue;
    const last = runs.at(-1);
    if (last?.change === change && last.block + last.blocks === first + n) last.blocks++;
    else runs.push({ block: first + n, blocks: 1, change });
  }
  return runs;
}

/** Undefined where there are zeros on both sides. */
function changeOf(before: Uint8Array, after: Uint8Array): Change | undefined {
  const empty = isZeroId(after);
  if (equalIds(before, after)) return empty ? undefined : 'kept';
  if (empty) return 'removed';
  return isZeroId(before) ? 'added' : 'rewritten';
}

function idAt(page: Uint8Array, n: number): Uint8Array {
  return page.subarray(n * ID_BYTES, (n + 1) * ID_BYTES);
}

function equalIds(a: Uint8Array, b: Uint8Array): boolean {
  return asBuffer(a).equals(b);
}
