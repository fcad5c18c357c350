/*
 * Footer: 512 bytes, big-endian, the last of every VHD; dynamic and differencing images have a copy at offset 0.
 * Virtual PC before 2004 wrote only 511 bytes; the missing one counts as zero.
 *
 * offset size field
 *      0    8 cookie `conectix`
 *      8    4 features: bit 1 always set, bit 0 = temporary
 *     12    4 version 0x00010000
 *     16    8 data offset: of the dynamic header; 64-bit -1 for a fixed disk
 *     24    4 timestamp: seconds since 2000-01-01 UTC
 *     28    4 creator application, four characters
 *     32    4 creator version: major << 16 | minor
 *     36    4 creator host OS: `Wi2k`, `Mac `, zeros
 *     40    8 original size, bytes (informative)
 *     48    8 current size, bytes: the size of the disk
 *     56    2 cylinders, 1 heads, 1 sectors per track
 *     60    4 disk type: 2 fixed, 3 dynamic, 4 differencing
 *     64    4 checksum
 *     68   16 unique id
 *     84    1 saved state: 1 = the machine is suspended
 *     85    1 hidden (XenServer; reserved in the specification)
 *     86  426 reserved, zero
 */
import { narrow, SECTOR } from '../../base/units.ts';
import { checksum } from './checksum.ts';
import type { Geometry } from './geometry.ts';
import { asciiAt, malformed, NOWHERE, setAscii, viewOf, type Where } from './where.ts';

/** Bytes of a footer. */
export const FOOTER_BYTES = 512;
const FOOTER_COOKIE = 'conectix';
/** XenServer's, in place of the other, while it resizes an image with a journal: nobody may open it. */
const POISON_COOKIE = 'v_poison';
const CHECKSUM_AT = 64;
const HIDDEN_AT = 85;
const VERSION = 0x00010000;
const NO_OFFSET = 0xffffffffffffffffn;
/** 2000-01-01T00:00:00Z in seconds since 1970. */
const EPOCH = 946684800;

/** The types of VHDs. */
export type VhdType = 'fixed' | 'dynamic' | 'differencing';
const TYPES: Readonly<Record<VhdType, number>> = { fixed: 2, dynamic: 3, differencing: 4 };

/** A VHD footer. Sizes and offsets in bytes. */
export interface Footer {
  /** Bits; bit 1 is always set, bit 0 marks a temporary disk. */
  features: number;
  /** Of the dynamic header, from the start of the file; null for the 64-bit -1 of fixed disks. */
  dataOffset: number | null;
  /** Seconds since 2000-01-01 UTC. */
  timestamp: number;
  /** Four characters, as `win `. */
  creatorApplication: string;
  /** `major << 16 | minor` */
  creatorVersion: number;
  /** Four characters: `Wi2k` or `Mac `. */
  creatorHostOS: string;
  /** When the disk was made; informative. */
  originalSize: number;
  /** The size of the disk: a positive multiple of 512. */
  currentSize: number;
  /** Informative. */
  geometry: Geometry;
  /** What the image is. */
  type: VhdType;
  /** 16 bytes. */
  uniqueId: Uint8Array;
  /** The machine is suspended. */
  savedState: boolean;
  /** XenServer hides it; reserved in the specification. */
  hidden: boolean;
}

/**
 * Reads a footer of 512 or 511 bytes (Microsoft's Virtual Hard Disk Image Format Specification, 1.0). `where` is for messages.
 * @throws VHD_FOOTER_MISSING without the cookie; VHD_FOOTER_CHECKSUM; VHD_FOOTER_FIELD for a value that cannot be
 */
export function parseFooter(raw: Uint8Array, where: Where = NOWHERE): Footer {
  const bytes = wholeFooter(raw);
  if (isPoisoned(bytes)) throw poisoned(where);
  if (!hasFooterCookie(bytes)) {
    throw malformed('VHD_FOOTER_MISSING', where, { what: 'no VHD footer', hint: 'this is not the end of a VHD' });
  }
  checkSum(bytes, where);
  const view = viewOf(bytes);
  return {
    ...checkedFields(view, where),
    features: view.getUint32(8),
    timestamp: view.getUint32(24),
    creatorApplication: asciiAt(view, 28, 4),
    creatorVersion: view.getUint32(32),
    creatorHostOS: asciiAt(view, 36, 4),
    geometry: { cylinders: view.getUint16(56), heads: view.getUint8(58), sectorsPerTrack: view.getUint8(59) },
    uniqueId: Uint8Array.from(bytes.subarray(68, 84)),
    savedState: view.getUint8(84) !== 0,
    hidden: view.getUint8(HIDDEN_AT) !== 0,
  };
}

/** The 512 bytes of a footer, with its checksum. */
export function encodeFooter(footer: Footer): Uint8Array {
  const bytes = new Uint8Array(FOOTER_BYTES);
  const view = viewOf(bytes);
  setAscii(view, 0, FOOTER_COOKIE, 8);
  view.setUint32(8, footer.features);
  view.setUint32(12, VERSION);
  view.setBigUint64(16, footer.dataOffset === null ? NO_OFFSET : BigInt(footer.dataOffset));
  view.setUint32(24, footer.timestamp);
  setAscii(view, 28, footer.creatorApplication, 4);
  view.setUint32(32, footer.creatorVersion);
  setAscii(view, 36, footer.creatorHostOS, 4);
  view.setBigUint64(40, BigInt(footer.originalSize));
  view.setBigUint64(48, BigInt(footer.currentSize));
  view.setUint16(56, footer.geometry.cylinders);
  view.setUint8(58, footer.geometry.heads);
  view.setUint8(59, footer.geometry.sectorsPerTrack);
  view.setUint32(60, TYPES[footer.type]);
  bytes.set(footer.uniqueId, 68);
  view.setUint8(84, footer.savedState ? 1 : 0);
  view.setUint8(HIDDEN_AT, footer.hidden ? 1 : 0);
  view.setUint32(CHECKSUM_AT, checksum(bytes, CHECKSUM_AT));
  return bytes;
}

export function hasFooterCookie(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 511 && asciiAt(viewOf(bytes), 0, 8) === FOOTER_COOKIE;
}

/** Tells whether XenServer has disabled the image. */
export function isPoisoned(bytes: Uint8Array): boolean {
  return bytes.byteLength >= 511 && asciiAt(viewOf(bytes), 0, 8) === POISON_COOKIE;
}

/** The number that the specification gives a type: 2, 3 or 4. */
export function diskTypeNumber(type: VhdType): number {
  return TYPES[type];
}

/** Milliseconds since 1970 of a VHD timestamp. */
export function fromTimestamp(timestamp: number): number {
  return (timestamp + EPOCH) * 1000;
}

/** The VHD timestamp of a time in milliseconds since 1970; times outside of 2000 to 2136 become the nearest. */
export function toTimestamp(milliseconds: number): number {
  return Math.min(Math.max(Math.floor(milliseconds / 1000) - EPOCH, 0), 0xffffffff);
}

type CheckedFields = Pick<Footer, 'dataOffset' | 'originalSize' | 'currentSize' | 'type'>;

/** The fields whose values may be impossible. */
function checkedFields(view: DataView, where: Where): CheckedFields {
  const field = (...values: [at: number, what: string, expected: string | number, found: string | number]): never => {
    throw wrongField(where, ...values);
  };
  const version = view.getUint32(12);
  if (version >>> 16 !== VERSION >>> 16) field(12, `version ${hex(version)} is not 1.x`, VERSION, version);
  const number = view.getUint32(60);
  const type = (Object.keys(TYPES) as VhdType[]).find((name) => TYPES[name] === number);
  if (type === undefined) return field(60, `disk type ${number} is none of 2, 3, 4`, '2, 3, 4', number);
  const [rawOffset, rawOriginal, rawSize] = [view.getBigUint64(16), view.getBigUint64(40), view.getBigUint64(48)];
  const currentSize = narrow(rawSize);
  if (currentSize === undefined || currentSize === 0 || currentSize % SECTOR !== 0) {
    return field(48, `current size ${rawSize} is not a positive multiple of 512`, 'n * 512', `${rawSize}`);
  }
  const dataOffset = rawOffset === NO_OFFSET ? null : narrow(rawOffset);
  if (dataOffset === undefined) {
    return field(16, `data offset ${rawOffset} is beyond any file`, 'an offset', `${rawOffset}`);
  }
  const originalSize = narrow(rawOriginal);
  if (originalSize === undefined) {
    return field(40, `original size ${rawOriginal} is beyond any disk`, 'a size', `${rawOriginal}`);
  }
  return { dataOffset, originalSize, currentSize, type };
}

function wrongField(where: Where, at: number, what: string, expected: string | number, found: string | number): Error {
  const hint = 'the footer is damaged, or of a kind that this version does not know';
  return malformed('VHD_FOOTER_FIELD', where, { at, what: `footer: ${what}`, expected, found, hint });
}

function poisoned(where: Where): Error {
  return malformed('VHD_FOOTER_FIELD', where, {
    what: `XenServer has disabled this image (cookie ${POISON_COOKIE})`,
    expected: FOOTER_COOKIE,
    found: POISON_COOKIE,
    hint: 'a resize was not finished: let the XenServer that has its journal finish or revert it, then copy the image again',
  });
}

function wholeFooter(raw: Uint8Array): Uint8Array {
  if (raw.byteLength >= FOOTER_BYTES) return raw.subarray(0, FOOTER_BYTES);
  const bytes = new Uint8Array(FOOTER_BYTES);
  bytes.set(raw);
  return bytes;
}

/** tapdisk 0.1 and 1.1 set the hidden flag without a new checksum, so theirs is tried with the flag as zero too. */
function checkSum(bytes: Uint8Array, where: Where): void {
  const found = viewOf(bytes).getUint32(CHECKSUM_AT);
  const expected = checksum(bytes, CHECKSUM_AT);
  if (found === expected) return;
  const hidden = bytes[HIDDEN_AT] ?? 0;
  const version = viewOf(bytes).getUint32(32);
  const tap = asciiAt(viewOf(bytes), 28, 3) === 'tap' && (version === 0x00000001 || version === 0x00010001);
  if (tap && hidden !== 0 && found === (expected + hidden) >>> 0) return;
  throw malformed('VHD_FOOTER_CHECKSUM', where, {
    at: CHECKSUM_AT,
    what: `footer checksum is ${hex(found)}, its bytes sum to ${hex(expected)}`,
    expected,
    found,
    hint: 'the footer is damaged: copy the image again from where it came; --format raw reads the file as a raw disk',
  });
}

function hex(n: number): string {
  return `0x${n.toString(16).padStart(8, '0')}`;
}
