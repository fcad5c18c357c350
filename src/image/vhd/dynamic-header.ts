/*
 * Dynamic header: 1024 bytes, big-endian, at the footer's data offset, in dynamic and differencing images.
 *
 * offset size field
 *      0    8 cookie `cxsparse`
 *      8    8 data offset: unused, 64-bit -1; never followed (it may point to itself)
 *     16    8 table offset: of the block allocation table (BAT), bytes
 *     24    4 version 0x00010000
 *     28    4 max table entries: at least one per block of the disk
 *     32    4 block size, bytes: a power of two
 *     36    4 checksum
 *     40   16 parent unique id; all zero in a differencing image: the parent is a raw file
 *     56    4 parent timestamp: 0 (Windows) or the parent file's mtime (blktap), so of no use
 *     60    4 reserved, zero
 *     64  512 parent name, UTF-16BE, NUL-padded: a file name, or (Windows, Xen Orchestra) a path
 *    576  192 eight parent locator entries
 *    768  256 reserved, zero
 */
import { MIB, narrow } from '../../base/units.ts';
import { checksum } from './checksum.ts';
import { encodeLocator, LOCATOR_BYTES, LOCATORS_AT, type ParentLocator, parseLocator } from './parent-locator.ts';
import { asciiAt, malformed, NOWHERE, setAscii, viewOf, type Where } from './where.ts';

/** Bytes of a dynamic header. */
export const HEADER_BYTES = 1024;
const HEADER_COOKIE = 'cxsparse';
/** Below 4096 the implementations disagree on the size of the bitmap. */
const LEAST_BLOCK = 4096;
const MOST_BLOCK: number = 256 * MIB;
const CHECKSUM_AT = 36;
const NAME_AT = 64;
const NAME_BYTES = 512;
const VERSION = 0x00010000;

/** The header of a dynamic or differencing image. */
export interface DynamicHeader {
  /** Of the block table, bytes from the start of the file. */
  tableOffset: number;
  /** Entries of the block table, at least one per block of the disk. */
  maxTableEntries: number;
  /** Bytes: a power of two from 4 KiB to 256 MiB. */
  blockSize: number;
  /** 16 bytes; all zero where there is no parent, or the parent is a raw file. */
  parentUniqueId: Uint8Array;
  /** Seconds since 2000-01-01 UTC; of no use, since writers disagree on its meaning. */
  parentTimestamp: number;
  /** A file name or a path, at most 256 UTF-16 units; empty where there is no parent. */
  parentName: string;
  /** Only the used slots. */
  locators: readonly ParentLocator[];
}

/**
 * Reads the 1024 bytes of a dynamic header (Microsoft's Virtual Hard Disk Image Format Specification, 1.0). `where` is for
 * messages.
 * @throws VHD_HEADER_MISSING without the cookie; VHD_HEADER_CHECKSUM; VHD_HEADER_FIELD, VHD_LOCATOR for a value that cannot be
 */
export function parseDynamicHeader(bytes: Uint8Array, where: Where = NOWHERE): DynamicHeader {
  const view = viewOf(bytes);
  if (bytes.byteLength < HEADER_BYTES || asciiAt(view, 0, 8) !== HEADER_COOKIE) {
    throw malformed('VHD_HEADER_MISSING', where, { what: 'no dynamic header where the footer says', hint: HINT });
  }
  checkSum(bytes, where);
  const version = view.getUint32(24);
  if (version >>> 16 !== VERSION >>> 16)
    throw field(where, 24, `version 0x${version.toString(16)} is not 1.x`, VERSION, version);
  const tableOffset = narrow(view.getBigUint64(16));
  if (tableOffset === undefined) {
    const found = `${view.getBigUint64(16)}`;
    throw field(where, 16, `table offset ${found} is beyond any file`, 'an offset', found);
  }
  const blockSize = view.getUint32(32);
  if (!isBlockSize(blockSize)) {
    throw field(
      where,
      32,
      `block size ${blockSize} is not a power of two from ${LEAST_BLOCK} to ${MOST_BLOCK}`,
      '2 ** n',
      blockSize,
    );
  }
  return {
    tableOffset,
    maxTableEntries: view.getUint32(28),
    blockSize,
    parentUniqueId: Uint8Array.from(bytes.subarray(40, 56)),
    parentTimestamp: view.getUint32(56),
    parentName: parseName(bytes.subarray(NAME_AT, NAME_AT + NAME_BYTES)),
    locators: parseLocators(bytes, where),
  };
}

/** The 1024 bytes of a header, with its checksum. Names over 256 UTF-16 units are cut. */
export function encodeDynamicHeader(header: DynamicHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = viewOf(bytes);
  setAscii(view, 0, HEADER_COOKIE, 8);
  view.setBigUint64(8, 0xffffffffffffffffn);
  view.setBigUint64(16, BigInt(header.tableOffset));
  view.setUint32(24, VERSION);
  view.setUint32(28, header.maxTableEntries);
  view.setUint32(32, header.blockSize);
  bytes.set(header.parentUniqueId, 40);
  view.setUint32(56, header.parentTimestamp);
  bytes.set(Buffer.from(header.parentName.slice(0, NAME_BYTES / 2), 'utf16le').swap16(), NAME_AT);
  for (const locator of header.locators) {
    bytes.set(encodeLocator(locator), LOCATORS_AT + locator.slot * LOCATOR_BYTES);
  }
  view.setUint32(CHECKSUM_AT, checksum(bytes, CHECKSUM_AT));
  return bytes;
}

export function isBlockSize(bytes: number): boolean {
  return bytes >= LEAST_BLOCK && bytes <= MOST_BLOCK && Number.isInteger(Math.log2(bytes));
}

function parseName(bytes: Uint8Array): string {
  // A copy in any case: a Buffer's slice() would be a view, and the caller's bytes be swapped.
  const text = Buffer.from(bytes).swap16().toString('utf16le');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

function parseLocators(bytes: Uint8Array, where: Where): ParentLocator[] {
  const locators: ParentLocator[] = [];
  for (let slot = 0; slot < 8; slot++) {
    const at = LOCATORS_AT + slot * LOCATOR_BYTES;
    const entry = { path: where.path, offset: where.offset + at };
    const locator = parseLocator(bytes.subarray(at, at + LOCATOR_BYTES), slot, entry);
    if (locator) locators.push(locator);
  }
  return locators;
}

function checkSum(bytes: Uint8Array, where: Where): void {
  const found = viewOf(bytes).getUint32(CHECKSUM_AT);
  const expected = checksum(bytes.subarray(0, HEADER_BYTES), CHECKSUM_AT);
  if (found === expected) return;
  const what = `dynamic header checksum is 0x${found.toString(16)}, its bytes sum to 0x${expected.toString(16)}`;
  throw malformed('VHD_HEADER_CHECKSUM', where, { at: CHECKSUM_AT, what, expected, found, hint: HINT });
}

function field(where: Where, at: number, what: string, expected: string | number, found: string | number): Error {
  return malformed('VHD_HEADER_FIELD', where, { at, what: `dynamic header: ${what}`, expected, found, hint: HINT });
}

const HINT = 'the header is damaged; copy the image again from where it came';
