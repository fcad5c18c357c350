/*
 * XenServer's batmap: which blocks hold all of their sectors, so that tapdisk need not look at their bitmaps. Its header is
 * 512 bytes, big-endian, right after the padded block table; creator `tap`, since version 1.1. Readers may ignore it, unless
 * it says that the image is encrypted; a writer must keep it true.
 *
 * offset size field
 *      0    8 cookie `tdbatmap`
 *      8    8 map offset, bytes from the start of the file
 *     16    4 map size, sectors
 *     20    4 version: 0x00010001 or 0x00010002
 *     24    4 checksum of the map: ones' complement of the sum of its bytes, which version 1.1 took as signed
 *     28    1 marker
 *     29    1 key hash present: 1 = the blocks are encrypted (XTS)
 *     30   32 nonce of the key hash
 *     62   32 key hash
 *     94  418 reserved, zero
 *
 * map: one bit per block, the most significant first.
 */
import { narrow } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { type BlockTable, batBytes, UNALLOCATED } from './bat.ts';
import type { DynamicHeader } from './dynamic-header.ts';
import type { Footer } from './footer.ts';
import { asciiAt, malformed, NOWHERE, setAscii, viewOf, type Where } from './where.ts';

/** Bytes of a batmap header. */
export const BATMAP_HEADER_BYTES = 512;
const BATMAP_COOKIE = 'tdbatmap';
const VERSION_1_1 = 0x00010001;
const NEWEST_VERSION = 0x00010002;
/** The first version of tapdisk that wrote batmaps. */
const FIRST_TAP = 0x00010001;
const KEY_HASH_AT = 29;

/** The header of XenServer's batmap. */
export interface BatmapHeader {
  /** Of the map, bytes from the start of the file. */
  mapOffset: number;
  /** Of the map, in sectors of 512 bytes. */
  mapSectors: number;
  /** `major << 16 | minor`, at most 1.2. */
  version: number;
  /** Of the map; see `batmapChecksum`. */
  checksum: number;
  /** A byte of no fixed meaning. */
  marker: number;
  /** 32 bytes each; null where the blocks are not encrypted. */
  keyHash: { nonce: Uint8Array; hash: Uint8Array } | null;
}

/** A batmap that was found in a file. */
export interface FoundBatmap {
  /** Of its header, bytes from the start of the file. */
  offset: number;
  header: BatmapHeader;
}

/**
 * Reads the 512 bytes of a batmap header. `where` is for messages.
 * @throws VHD_HEADER_MISSING without the cookie; VHD_HEADER_FIELD for a value that cannot be
 */
export function parseBatmapHeader(bytes: Uint8Array, where: Where = NOWHERE): BatmapHeader {
  if (!hasBatmapCookie(bytes)) {
    throw malformed('VHD_HEADER_MISSING', where, { what: 'no batmap', expected: BATMAP_COOKIE, hint: HINT });
  }
  const view = viewOf(bytes);
  const mapOffset = narrow(view.getBigUint64(8));
  if (mapOffset === undefined) throw field(where, 8, 'map offset', 'an offset', `${view.getBigUint64(8)}`);
  const version = view.getUint32(20);
  if (version > NEWEST_VERSION) throw field(where, 20, 'version', NEWEST_VERSION, version);
  const keyed = view.getUint8(KEY_HASH_AT);
  if (keyed > 1) throw field(where, KEY_HASH_AT, 'key hash mark', '0, 1', keyed);
  const copy = (from: number): Uint8Array => Uint8Array.from(bytes.subarray(from, from + 32));
  return {
    mapOffset,
    mapSectors: view.getUint32(16),
    version,
    checksum: view.getUint32(24),
    marker: view.getUint8(28),
    keyHash: keyed === 1 ? { nonce: copy(30), hash: copy(62) } : null,
  };
}

/** The 512 bytes of a batmap header. */
export function encodeBatmapHeader(header: BatmapHeader): Uint8Array {
  const bytes = new Uint8Array(BATMAP_HEADER_BYTES);
  const view = viewOf(bytes);
  setAscii(view, 0, BATMAP_COOKIE, 8);
  view.setBigUint64(8, BigInt(header.mapOffset));
  view.setUint32(16, header.mapSectors);
  view.setUint32(20, header.version);
  view.setUint32(24, header.checksum);
  view.setUint8(28, header.marker);
  if (header.keyHash) {
    view.setUint8(KEY_HASH_AT, 1);
    bytes.set(header.keyHash.nonce, 30);
    bytes.set(header.keyHash.hash, 62);
  }
  return bytes;
}

/** The checksum of a batmap's map, whole sectors of it, as the given version of the header has it. */
export function batmapChecksum(map: Uint8Array, version: number): number {
  const signed = version === VERSION_1_1;
  let sum = 0;
  for (const byte of map) sum += signed && byte > 127 ? byte - 256 : byte;
  return ~sum >>> 0;
}

/**
 * The batmap of an image, null where it has none. What stands in its place may be a block, whose bitmap a guest can shape,
 * so that is no batmap whatever its bytes are.
 * @throws VHD_ENCRYPTED
 */
export async function findBatmap(
  source: ByteSource,
  image: { footer: Footer; header: DynamicHeader; blocks: BlockTable; limit: number },
): Promise<FoundBatmap | null> {
  const { footer, header, blocks, limit } = image;
  if (!footer.creatorApplication.startsWith('tap') || footer.creatorVersion < FIRST_TAP) return null;
  const offset = header.tableOffset + batBytes(header.maxTableEntries);
  if (offset + BATMAP_HEADER_BYTES > limit || isBlockAt(blocks, offset)) return null;
  const bytes = new Uint8Array(BATMAP_HEADER_BYTES);
  await source.read(offset, bytes);
  if (!hasBatmapCookie(bytes)) return null;
  const where = { path: source.path, offset };
  if (bytes[KEY_HASH_AT] === 1) throw encrypted(where);
  try {
    return { offset, header: parseBatmapHeader(bytes, where) };
  } catch {
    // It only saves tapdisk time: a bad one takes nothing from the disk.
    return null;
  }
}

function hasBatmapCookie(bytes: Uint8Array): boolean {
  return bytes.byteLength >= BATMAP_HEADER_BYTES && asciiAt(viewOf(bytes), 0, 8) === BATMAP_COOKIE;
}

/** Whether a block lies over any of the 512 bytes from `offset`. */
function isBlockAt({ bat, blockSize, bitmapBytes }: BlockTable, offset: number): boolean {
  const first = (offset - bitmapBytes - blockSize) / 512;
  const last = (offset + BATMAP_HEADER_BYTES) / 512;
  return bat.some((entry) => entry !== UNALLOCATED && entry > first && entry < last);
}

function encrypted(where: Where): Error {
  return malformed('VHD_ENCRYPTED', where, {
    at: KEY_HASH_AT,
    what: 'encrypted by XenServer',
    expected: 0,
    found: 1,
    hint: 'export the disk by XenServer itself, which has the key',
  });
}

function field(where: Where, at: number, name: string, expected: string | number, found: string | number): Error {
  const what = `batmap header: ${name} ${found} cannot be`;
  return malformed('VHD_HEADER_FIELD', where, { at, what, expected, found, hint: HINT });
}

const HINT = 'XenServer makes a new batmap by itself; the disk reads right without it';
