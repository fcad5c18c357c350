import { fromHex, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, parseObjectHeader, TAG_SIZE } from '../codec/object-header.ts';
import { createBlake3 } from '../crypto/blake3.ts';
import { newObject, openObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY, DOMAIN_DIRECTORY, type Sealer } from '../crypto/sealer.ts';
import type { Store, StoreReader } from '../store/store.ts';

/*
 * Segment (FORMAT.md): header | sealed pages of 1,365 entries | sealed tail | trailer
 *   entry, 48 bytes: id 32, pack ordinal u32, offset u32, stored length u32, frame u16, codec u8, kind u8
 *   tail: u32 packs x {name 32, size u64, frames u32}, u32 pages x {first id 32}
 *   trailer, 24 bytes: u32 length of the sealed tail, u32 pages, u64 entries, magic "VVSEGMTR"
 */
const ENTRY_SIZE = 48;
const PAGE_ENTRIES = 1365;
const PAGE_STORED: number = PAGE_ENTRIES * ENTRY_SIZE + TAG_SIZE;
const TRAILER_SIZE = 24;
const MAGIC = new TextEncoder().encode('VVSEGMTR');

export const MAX_SEGMENT_ENTRIES: number = 16 * 1024 * 1024;

/** A pack that a segment covers. */
export interface SegmentPack {
  name: string;
  size: number;
  frames: number;
}

export interface SegmentEntry {
  id: Uint8Array;
  /** Ordinal of the pack in the segment. */
  pack: number;
  offset: number;
  storedLength: number;
  ordinal: number;
  codec: number;
  kind: number;
}

/** Writes a segment from entries that come sorted by id; it lies at `path`, synced, and wants to be named `name`. */
export async function writeSegment(options: {
  store: Store;
  keys: VaultKeys;
  random: Random;
  job: Uint8Array;
  path: string;
  packs: readonly SegmentPack[];
  entries: Iterable<SegmentEntry>;
}): Promise<{ name: string; size: number }> {
  const { header, sealer } = newObject(options.keys, options.random, 'segment', options.job);
  const hash = createBlake3();
  await using file = await options.store.create(options.path);
  let size = 0;
  const put = async (parts: Uint8Array[]): Promise<void> => {
    for (const part of parts) {
      hash.update(part);
      size += part.byteLength;
    }
    await file.write(parts);
  };
  await put([header]);
  const fences: Uint8Array[] = [];
  let count = 0;
  for (const page of pagesOf(options.entries)) {
    fences.push((page[0] as SegmentEntry).id);
    count += page.length;
    await put(sealer.seal(DOMAIN_BODY, fences.length - 1, header, encodePage(page)));
  }
  const tail = sealer.seal(DOMAIN_DIRECTORY, 0, header, encodeTail(options.packs, fences));
  const tailLength = tail.reduce((sum, part) => sum + part.byteLength, 0);
  await put([...tail, new BinaryWriter().u32(tailLength).u32(fences.length).u64(count).bytes(MAGIC).finish()]);
  await file.sync();
  return { name: toHex(hash.digest()), size };
}

function* pagesOf(entries: Iterable<SegmentEntry>): Generator<SegmentEntry[]> {
  let page: SegmentEntry[] = [];
  for (const entry of entries) {
    page.push(entry);
    if (page.length === PAGE_ENTRIES) {
      yield page;
      page = [];
    }
  }
  if (page.length > 0) yield page;
}

function encodePage(page: readonly SegmentEntry[]): Uint8Array {
  const bytes = new Uint8Array(page.length * ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  page.forEach((entry, n) => {
    const at = n * ENTRY_SIZE;
    bytes.set(entry.id, at);
    view.setUint32(at + 32, entry.pack, true);
    view.setUint32(at + 36, entry.offset, true);
    view.setUint32(at + 40, entry.storedLength, true);
    view.setUint16(at + 44, entry.ordinal, true);
    view.setUint8(at + 46, entry.codec);
    view.setUint8(at + 47, entry.kind);
  });
  return bytes;
}

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

function encodeTail(packs: readonly SegmentPack[], fences: readonly Uint8Array[]): Uint8Array {
  const plain = new BinaryWriter().u32(packs.length);
  for (const { name, size, frames } of packs) plain.bytes(fromHex(name)).u64(size).u32(frames);
  plain.u32(fences.length);
  for (const fence of fences) plain.bytes(fence);
  return plain.finish();
}

/** An open segment: pack table and fences in memory, pages read when asked for. */
export class Segment implements AsyncDisposable {
  readonly path: string;
  readonly packs: readonly SegmentPack[];
  readonly entries: number;
  readonly #file: StoreReader;
  readonly #header: Uint8Array;
  readonly #sealer: Sealer;
  readonly #fences: readonly Uint8Array[];
  readonly #pages = new Map<number, Uint8Array>();

  /** Use `openSegment`. */
  constructor(options: {
    path: string;
    file: StoreReader;
    header: Uint8Array;
    sealer: Sealer;
    packs: SegmentPack[];
    fences: Uint8Array[];
    entries: number;
  }) {
    this.path = options.path;
    this.packs = options.packs;
    this.entries = options.entries;
    this.#file = options.file;
    this.#header = options.header;
    this.#sealer = options.sealer;
    this.#fences = options.fences;
  }

  /** @throws VAULT_DAMAGED when the page that would hold the id cannot be read */
  async find(id: Uint8Array): Promise<SegmentEntry | undefined> {
    const n = this.#pageOf(id);
    if (n < 0) return undefined;
    const page = await this.#page(n);
    let low = 0;
    let high = page.byteLength / ENTRY_SIZE;
    while (low < high) {
      const middle = (low + high) >> 1;
      const order = Buffer.compare(page.subarray(middle * ENTRY_SIZE, middle * ENTRY_SIZE + 32), id);
      if (order === 0) return decodeEntry(page, middle);
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return undefined;
  }

  /** All entries in order of their ids, a page at a time; checks that they are. @throws VAULT_DAMAGED */
  async *pages(): AsyncGenerator<SegmentEntry[]> {
    let last: Uint8Array | undefined;
    for (let n = 0; n < this.#fences.length; n++) {
      const page = await this.#readPage(n);
      const entries = Array.from({ length: page.byteLength / ENTRY_SIZE }, (_, at) => decodeEntry(page, at));
      for (const entry of entries) {
        if (last && Buffer.compare(last, entry.id) >= 0) throw damaged(this.path, 'is not sorted');
        if (entry.pack >= this.packs.length)
          throw damaged(this.path, `names pack ${entry.pack} of ${this.packs.length}`);
        last = entry.id;
      }
      yield entries;
    }
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }

  #pageOf(id: Uint8Array): number {
    let low = 0;
    let high = this.#fences.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (Buffer.compare(this.#fences[middle] as Uint8Array, id) <= 0) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async #page(n: number): Promise<Uint8Array> {
    const known = this.#pages.get(n);
    if (known) return known;
    const page = await this.#readPage(n);
    // 64 pages are 4 MiB; the oldest goes first.
    if (this.#pages.size >= 64) this.#pages.delete(this.#pages.keys().next().value as number);
    this.#pages.set(n, page);
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
export async function openSegment(store: Store, keys: VaultKeys, path: string): Promise<Segment> {
  const file = await store.open(path).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'NOT_FOUND') throw damaged(path, 'is missing');
    throw error;
  });
  try {
    if (file.size < HEADER_SIZE + TRAILER_SIZE) throw damaged(path, 'is too short for a segment');
    const header = new Uint8Array(HEADER_SIZE);
    await file.read(0, header);
    const sealer = openObject(keys, parseObjectHeader(header, 'segment', path), path);
    const tail = await readTail(file, path);
    const plain = sealer.unseal(DOMAIN_DIRECTORY, 0, header, tail.sealed);
    if (!plain) throw damaged(path, 'has a damaged tail');
    return new Segment({ path, file, header, sealer, entries: tail.entries, ...decodeTail(plain, tail.pages, path) });
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
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
    name: toHex(reader.bytes(32)),
    size: reader.u64(),
    frames: reader.u32(),
  }));
  if (reader.u32() !== pages) throw damaged(path, 'has a tail with another number of pages');
  const fences = Array.from({ length: reader.count(pages, 32) }, () => reader.bytes(32));
  reader.end();
  return { packs, fences };
}
