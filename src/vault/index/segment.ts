import { isError } from '../../base/errors.ts';
import { toHex } from '../../base/hex.ts';
import { BinaryReader } from '../binary.ts';
import { damaged, HEADER_SIZE, type ObjectHeader, parseObjectHeader, TAG_SIZE } from '../codec/object-header.ts';
import { openObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY, DOMAIN_DIRECTORY, type Sealer } from '../crypto/sealer.ts';
import { LARGEST } from '../largest-object.ts';
import type { Store, StoreReader } from '../store/store.ts';
import {
  ENTRY_SIZE,
  MAGIC,
  MAX_SEGMENT_ENTRIES,
  PAGE_ENTRIES,
  PAGE_STORED,
  type SegmentEntry,
  type SegmentPack,
  TRAILER_SIZE,
} from './segment-layout.ts';
import { SegmentPage } from './segment-page.ts';

function decodeEntry(page: Uint8Array, n: number): SegmentEntry {
  const at = n * ENTRY_SIZE;
  const view = new DataView(page.buffer, page.byteOffset + at, ENTRY_SIZE);
  return {
    id: page.subarray(at, at + 32),
    pack: view.getUint32(32, true),
    offset: view.getUint32(36, true),
    storedLength: view.getUint32(40, true),
    ordinal: view.getUint16(44, true),
    codec: view.getUint8(46),
    kind: view.getUint8(47),
  };
}

function idAt(page: Uint8Array, n: number): Buffer {
  return Buffer.from(page.buffer, page.byteOffset + n * ENTRY_SIZE, 32);
}

function firstNotBelow(page: Uint8Array, id: Uint8Array): number {
  let low = 0;
  let high = page.byteLength / ENTRY_SIZE;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (idAt(page, middle).compare(id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function isAscending(before: SegmentEntry, after: SegmentEntry): boolean {
  const order = Buffer.compare(before.id, after.id);
  return order < 0 || (order === 0 && before.pack < after.pack);
}

/** Pages that were read last, of all segments of an index: 64 are 4 MiB. */
export type SegmentPages = Map<string, Uint8Array>;

/** An open segment: pack table and fences in memory, pages read when asked for. */
export class Segment implements AsyncDisposable {
  readonly path: string;
  readonly packs: readonly SegmentPack[];
  readonly entries: number;
  readonly #file: StoreReader;
  readonly #header: Uint8Array;
  readonly #sealer: Sealer;
  readonly #fences: readonly Uint8Array[];
  readonly #pages: SegmentPages;

  /** Use `openSegment`. */
  constructor(options: {
    path: string;
    file: StoreReader;
    header: Uint8Array;
    sealer: Sealer;
    packs: SegmentPack[];
    fences: Uint8Array[];
    entries: number;
    pages: SegmentPages;
  }) {
    this.path = options.path;
    this.packs = options.packs;
    this.entries = options.entries;
    this.#file = options.file;
    this.#header = options.header;
    this.#sealer = options.sealer;
    this.#fences = options.fences;
    this.#pages = options.pages;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.#file.size;
  }
  /** Id of the job that wrote it, hex. */
  get job(): string {
    return toHex(this.#header.subarray(32, 48));
  }

  /** A block may lie in two packs. @throws VAULT_DAMAGED when a page that would hold the id cannot be read */
  async findAll(id: Uint8Array): Promise<SegmentEntry[]> {
    const found: SegmentEntry[] = [];
    for (let n = Math.max(0, this.#pageOf(id)); n < this.#fences.length; n++) {
      const page = await this.#page(n);
      const count = page.byteLength / ENTRY_SIZE;
      let at = firstNotBelow(page, id);
      while (at < count && idAt(page, at).equals(id)) found.push(decodeEntry(page, at++));
      if (at < count) break;
    }
    return found;
  }

  /**
   * All entries in order of their ids, a page at a time; checks that they are. A page that cannot be read is passed over
   * where `onLost` is told of it. @throws VAULT_DAMAGED
   */
  async *pages(onLost?: (problem: unknown) => void): AsyncGenerator<SegmentEntry[]> {
    let last: SegmentEntry | undefined;
    for (let n = 0; n < this.#fences.length; n++) {
      const page = await this.#readPage(n).catch((error: unknown) => {
        if (!onLost) throw error;
        onLost(error);
      });
      if (!page) continue;
      const entries = Array.from({ length: page.byteLength / ENTRY_SIZE }, (_, at) => decodeEntry(page, at));
      for (const entry of entries) {
        if (last && !isAscending(last, entry)) throw damaged(this.path, 'is not sorted');
        if (entry.pack >= this.packs.length)
          throw damaged(this.path, `names pack ${entry.pack} of ${this.packs.length}`);
        last = entry;
      }
      yield entries;
    }
  }

  /** The same for who reads millions of entries: a page at a time, in place. @throws VAULT_DAMAGED */
  async *scan(): AsyncGenerator<SegmentPage> {
    let before: SegmentPage | undefined;
    for (let n = 0; n < this.#fences.length; n++) {
      const page = new SegmentPage(await this.#readPage(n));
      const trouble = page.trouble(before, this.packs.length);
      if (trouble !== undefined) throw damaged(this.path, trouble);
      yield page;
      before = page;
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }

  /** The last page that begins before the id; -1 where none does. */
  #pageOf(id: Uint8Array): number {
    let low = 0;
    let high = this.#fences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(this.#fences[middle] as Uint8Array, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async #page(n: number): Promise<Uint8Array> {
    const key = `${this.path}#${n}`;
    const known = this.#pages.get(key);
    if (known) return known;
    const page = await this.#readPage(n);
    if (this.#pages.size >= 64) this.#pages.delete(this.#pages.keys().next().value as string);
    this.#pages.set(key, page);
    return page;
  }

  async #readPage(n: number): Promise<Uint8Array> {
    const isLast = n === this.#fences.length - 1;
    const length = isLast ? (this.entries - n * PAGE_ENTRIES) * ENTRY_SIZE + TAG_SIZE : PAGE_STORED;
    const stored = new Uint8Array(length);
    await this.#file.read(HEADER_SIZE + n * PAGE_STORED, stored);
    const page = this.#sealer.unseal(DOMAIN_BODY, n, this.#header, stored);
    if (!page) throw damaged(this.path, `has a damaged page ${n}`);
    return page;
  }
}

/** @throws VAULT_DAMAGED, VAULT_KEY_WRONG */
export async function openSegment(
  store: Store,
  keys: VaultKeys,
  path: string,
  pages: SegmentPages = new Map(),
): Promise<Segment> {
  const file = await store.open(path).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'NOT_FOUND') throw damaged(path, 'is missing');
    throw error;
  });
  try {
    if (file.size < HEADER_SIZE + TRAILER_SIZE) throw damaged(path, 'is too short for a segment');
    if (file.size > LARGEST.segment) throw damaged(path, `is ${file.size} bytes long, longer than any segment`);
    const header = new Uint8Array(HEADER_SIZE);
    await file.read(0, header);
    const sealer = openObject(keys, parseSegmentHeader(header, path), path);
    const tail = await readTail(file, path);
    const plain = sealer.unseal(DOMAIN_DIRECTORY, 0, header, tail.sealed);
    if (!plain) throw damaged(path, 'has a damaged tail');
    return new Segment({
      path,
      file,
      header,
      sealer,
      entries: tail.entries,
      pages,
      ...decodeTail(plain, tail.pages, path),
    });
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/** Of the vault's own format, or damaged: a flipped bit there must not stop who can do without this segment. */
function parseSegmentHeader(header: Uint8Array, path: string): ObjectHeader {
  try {
    return parseObjectHeader(header, 'segment', path);
  } catch (error) {
    throw isError(error, 'VAULT_NEWER') ? damaged(path, 'has a header of another format than its vault') : error;
  }
}

async function readTail(
  file: StoreReader,
  path: string,
): Promise<{ sealed: Uint8Array; pages: number; entries: number }> {
  const trailer = new Uint8Array(TRAILER_SIZE);
  await file.read(file.size - TRAILER_SIZE, trailer);
  const reader = new BinaryReader(trailer, (what) => damaged(path, what));
  const length = reader.u32();
  const pages = reader.u32();
  const entries = reader.u64();
  if (Buffer.compare(reader.bytes(8), MAGIC) !== 0) throw damaged(path, 'has no segment trailer');
  const body = entries * ENTRY_SIZE + pages * TAG_SIZE;
  const fits = entries <= MAX_SEGMENT_ENTRIES && pages === Math.ceil(entries / PAGE_ENTRIES);
  if (!fits || HEADER_SIZE + body + length + TRAILER_SIZE !== file.size)
    throw damaged(path, 'has a trailer that does not fit');
  const sealed = new Uint8Array(length);
  await file.read(HEADER_SIZE + body, sealed);
  return { sealed, pages, entries };
}

function decodeTail(plain: Uint8Array, pages: number, path: string): { packs: SegmentPack[]; fences: Uint8Array[] } {
  const reader = new BinaryReader(plain, (what) => damaged(path, what));
  const packs = Array.from({ length: reader.count(reader.u32(), 44) }, () => ({
    name: reader.hex(32),
    size: reader.u64(),
    frames: reader.u32(),
  }));
  if (reader.u32() !== pages) throw damaged(path, 'has a tail with another number of pages');
  const fences = Array.from({ length: reader.count(pages, 32) }, () => reader.bytes(32));
  reader.end();
  return { packs, fences };
}
