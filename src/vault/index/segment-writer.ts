import { died } from '../../base/died.ts';
import { fromHex, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryWriter } from '../binary.ts';
import { createBlake3 } from '../crypto/blake3.ts';
import { newObject, type VaultKeys } from '../crypto/keys.ts';
import { DOMAIN_BODY, DOMAIN_DIRECTORY } from '../crypto/sealer.ts';
import type { Store } from '../store/store.ts';
import { ENTRY_SIZE, MAGIC, PAGE_ENTRIES, type SegmentEntry, type SegmentPack } from './segment-layout.ts';

const ID_BYTES = 32;

interface SegmentOptions {
  store: Store;
  keys: VaultKeys;
  random: Random;
  job: Uint8Array;
  path: string;
  packs: readonly SegmentPack[];
}

/** Writes a segment from entries that come sorted by id; it lies at `path`, synced, and wants to be named `name`. */
export async function writeSegment(
  options: SegmentOptions & { entries: Iterable<SegmentEntry> },
): Promise<{ name: string; size: number }> {
  return await writeSegmentPages({ ...options, pages: pagesOf(options.entries) });
}

/** The same from encoded entries, in pages that are full but for the last one; each may be used again once it was taken. */
export async function writeSegmentPages(
  options: SegmentOptions & { pages: Iterable<Uint8Array> | AsyncIterable<Uint8Array> },
): Promise<{ name: string; size: number }> {
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
  for await (const page of options.pages) {
    fences.push(Uint8Array.from(page.subarray(0, ID_BYTES)));
    count += page.byteLength / ENTRY_SIZE;
    await put(sealer.seal(DOMAIN_BODY, fences.length - 1, header, page));
    died(page.byteLength);
  }
  const tail = sealer.seal(DOMAIN_DIRECTORY, 0, header, encodeTail(options.packs, fences));
  const tailLength = tail.reduce((sum, part) => sum + part.byteLength, 0);
  await put([...tail, new BinaryWriter().u32(tailLength).u32(fences.length).u64(count).bytes(MAGIC).finish()]);
  await file.sync();
  return { name: toHex(hash.digest()), size };
}

function* pagesOf(entries: Iterable<SegmentEntry>): Generator<Uint8Array> {
  let page: SegmentEntry[] = [];
  for (const entry of entries) {
    page.push(entry);
    if (page.length === PAGE_ENTRIES) {
      yield encodePage(page);
      page = [];
    }
  }
  if (page.length > 0) yield encodePage(page);
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

function encodeTail(packs: readonly SegmentPack[], fences: readonly Uint8Array[]): Uint8Array {
  const plain = new BinaryWriter().u32(packs.length);
  for (const { name, size, frames } of packs) plain.bytes(fromHex(name)).u64(size).u32(frames);
  plain.u32(fences.length);
  for (const fence of fences) plain.bytes(fence);
  return plain.finish();
}
