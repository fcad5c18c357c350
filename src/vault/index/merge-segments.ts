import { throwIfAborted } from '../../base/abort.ts';
import type { Random } from '../../base/random.ts';
import type { VaultKeys } from '../crypto/keys.ts';
import type { Store } from '../store/store.ts';
import type { Segment } from './segment.ts';
import { ENTRY_SIZE, PAGE_ENTRIES, type SegmentPack } from './segment-layout.ts';
import { compareIds, SegmentPage } from './segment-page.ts';
import { writeSegmentPages } from './segment-writer.ts';

/** Of a pack whose entries are left out. */
const LEFT_OUT = -1;

/** A segment that is being merged: where the reading of it is, and what its packs are called in the new one. */
interface Source {
  pages: AsyncIterator<SegmentPage>;
  page: SegmentPage;
  at: number;
  ordinals: Int32Array;
}

/**
 * Merges segments to one that lies at `path`, synced, and wants to be named `name`; undefined where nothing is left. One page of
 * each is held. All places of a block are kept but those in packs that are left out.
 * @throws VAULT_DAMAGED, IO, NO_SPACE, CANCELLED
 */
export async function mergeSegments(options: {
  store: Store;
  keys: VaultKeys;
  random: Random;
  job: Uint8Array;
  path: string;
  segments: readonly Segment[];
  /** Whether the entries of a pack are left out. */
  leavesOut: (pack: string) => boolean;
  signal?: AbortSignal | undefined;
}): Promise<{ name: string; size: number; packs: SegmentPack[] } | undefined> {
  const { segments, leavesOut, signal } = options;
  const packs: SegmentPack[] = [];
  const numbers = new Map<string, number>();
  const ordinals = segments.map((segment) =>
    Int32Array.from(segment.packs, (pack) => {
      if (leavesOut(pack.name)) return LEFT_OUT;
      if (!numbers.has(pack.name)) numbers.set(pack.name, packs.push(pack) - 1);
      return numbers.get(pack.name) as number;
    }),
  );
  if (packs.length === 0) return undefined;
  const sources: Source[] = [];
  for (const [n, segment] of segments.entries()) {
    const source = { pages: segment.scan(), page: NO_PAGE, at: 0, ordinals: ordinals[n] as Int32Array };
    if (await nextPage(source)) sources.push(source);
  }
  const written = await writeSegmentPages({ ...options, packs, pages: mergedPages(sources, signal) });
  return { ...written, packs };
}

const NO_PAGE = new SegmentPage(new Uint8Array(0));

async function* mergedPages(heap: Source[], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const page = new Uint8Array(PAGE_ENTRIES * ENTRY_SIZE);
  const places = new Places();
  let count = 0;
  for (let n = (heap.length >> 1) - 1; n >= 0; n--) sink(heap, n);
  while (heap.length > 0) {
    places.clear();
    do {
      const source = heap[0] as Source;
      places.add(source.page, source.at, packOf(source));
      source.at++;
      if (!isAtEntry(source) && !(await nextPage(source))) dropFirst(heap);
      sink(heap, 0);
    } while (heap.length > 0 && places.isOf(heap[0] as Source));
    for (let n = places.settle() - 1; n >= 0; n--) {
      page.set(places.entry(n), count * ENTRY_SIZE);
      if (++count < PAGE_ENTRIES) continue;
      throwIfAborted(signal);
      yield page;
      count = 0;
    }
  }
  if (count > 0) yield page.subarray(0, count * ENTRY_SIZE);
}

function packOf({ page, at, ordinals }: Source): number {
  return ordinals[page.pack(at)] as number;
}

/** Goes to the next entry of the page that is not left out, this one included. */
function isAtEntry(source: Source): boolean {
  while (source.at < source.page.count) {
    if (packOf(source) !== LEFT_OUT) return true;
    source.at++;
  }
  return false;
}

async function nextPage(source: Source): Promise<boolean> {
  do {
    const next = await source.pages.next();
    if (next.done) return false;
    source.page = next.value;
    source.at = 0;
  } while (!isAtEntry(source));
  return true;
}

/** All places of one block, as encoded entries: segments may know the same packs in another order. */
class Places {
  #page = new SegmentPage(new Uint8Array(8 * ENTRY_SIZE));
  #count = 0;

  clear(): void {
    this.#count = 0;
  }

  add(page: SegmentPage, at: number, pack: number): void {
    if (this.#count === this.#page.count) {
      const larger = new Uint8Array(2 * this.#page.bytes.byteLength);
      larger.set(this.#page.bytes);
      this.#page = new SegmentPage(larger);
    }
    this.#page.bytes.set(page.bytes.subarray(at * ENTRY_SIZE, (at + 1) * ENTRY_SIZE), this.#count * ENTRY_SIZE);
    this.#page.setPack(this.#count++, pack);
  }

  isOf({ page, at }: Source): boolean {
    return compareIds(this.#page, 0, page, at) === 0;
  }

  /** Sorts them by pack, the last first, each pack once; returns how many there are. */
  settle(): number {
    if (this.#count === 1) return 1;
    const byPack = new Map<number, Uint8Array>();
    for (let n = 0; n < this.#count; n++) byPack.set(this.#page.pack(n), this.entry(n).slice());
    const sorted = [...byPack].sort(([a], [b]) => b - a);
    for (const [n, [, entry]] of sorted.entries()) this.#page.bytes.set(entry, n * ENTRY_SIZE);
    return sorted.length;
  }

  entry(n: number): Uint8Array {
    return this.#page.bytes.subarray(n * ENTRY_SIZE, (n + 1) * ENTRY_SIZE);
  }
}

function isBefore(a: Source, b: Source): boolean {
  return compareIds(a.page, a.at, b.page, b.at) < 0;
}

function dropFirst(heap: Source[]): void {
  const last = heap.pop() as Source;
  if (heap.length > 0) heap[0] = last;
}

/** The least is at 0, and none is after the two below it, at 2n + 1 and 2n + 2. */
function sink(heap: Source[], from: number): void {
  for (let n = from; ; ) {
    const [left, right] = [2 * n + 1, 2 * n + 2];
    let least = n;
    if (left < heap.length && isBefore(heap[left] as Source, heap[least] as Source)) least = left;
    if (right < heap.length && isBefore(heap[right] as Source, heap[least] as Source)) least = right;
    if (least === n) return;
    [heap[n], heap[least]] = [heap[least] as Source, heap[n] as Source];
    n = least;
  }
}
