/*
 * Parent locator entry: 24 bytes, eight of them in the dynamic header at 576. The data lies elsewhere in the file.
 *
 * offset size field
 *      0    4 platform code: `W2ru` relative, `W2ku` absolute Windows path (UTF-16LE); `MacX` file URL (UTF-8);
 *             `Wi2r`, `Wi2k` deprecated 8-bit paths; `Mac ` alias; 0 = unused. VirtualBox has the two of the Mac as
 *             0x4D163220 and 0x4D163258, which are slips of the pen
 *      4    4 platform data space: sectors by the specification, bytes by everybody (so it is not relied upon)
 *      8    4 platform data length, bytes
 *     12    4 reserved, zero
 *     16    8 platform data offset, bytes from the start of the file
 */
import { asBuffer } from '../../base/hex.ts';
import { narrow, SECTOR } from '../../base/units.ts';
import type { TakenRange } from './bat.ts';
import { asciiAt, malformed, NOWHERE, setAscii, viewOf, type Where } from './where.ts';

export const LOCATOR_BYTES = 24;
/** Of the first of the eight entries in the dynamic header. */
export const LOCATORS_AT = 576;
/** Windows paths end at 32767 characters; three bytes each in UTF-8 leave this bound. */
const MOST_DATA = 131072;

/** An entry of the dynamic header that tells where a path of the parent lies in the file. */
export interface ParentLocator {
  /** 0 to 7 in the header. */
  slot: number;
  /** Four characters: `W2ru`, `W2ku`, `MacX`, ... */
  code: string;
  /** Room for the path: sectors by the specification, bytes by everybody. */
  dataSpace: number;
  /** Bytes of the path. */
  dataLength: number;
  /** Bytes from the start of the file. */
  dataOffset: number;
}

/**
 * Reads one entry of the header, 24 bytes; null when the slot is unused. `where` is for messages.
 * @throws VHD_LOCATOR for an offset that no file has
 */
export function parseLocator(bytes: Uint8Array, slot: number, where: Where = NOWHERE): ParentLocator | null {
  const view = viewOf(bytes);
  if (view.getUint32(0) === 0) return null;
  const offset = view.getBigUint64(16);
  const dataOffset = narrow(offset);
  if (dataOffset === undefined) {
    throw malformed('VHD_LOCATOR', where, { at: 16, what: `parent locator ${slot} points to ${offset}`, hint: HINT });
  }
  return { slot, code: asciiAt(view, 0, 4), dataSpace: view.getUint32(4), dataLength: view.getUint32(8), dataOffset };
}

/** The 24 bytes of an entry. Its slot tells the caller where they belong. */
export function encodeLocator(locator: ParentLocator): Uint8Array {
  const bytes = new Uint8Array(LOCATOR_BYTES);
  const view = viewOf(bytes);
  setAscii(view, 0, locator.code, 4);
  view.setUint32(4, locator.dataSpace);
  view.setUint32(8, locator.dataLength);
  view.setBigUint64(16, BigInt(locator.dataOffset));
  return bytes;
}

/** The codes of the specification. */
export type Platform = 'W2ru' | 'W2ku' | 'MacX' | 'Mac ' | 'Wi2r' | 'Wi2k';

const PLATFORMS: Readonly<Record<string, Platform>> = {
  W2ru: 'W2ru',
  W2ku: 'W2ku',
  MacX: 'MacX',
  'Mac ': 'Mac ',
  Wi2r: 'Wi2r',
  Wi2k: 'Wi2k',
  'M\x162X': 'MacX',
  'M\x162 ': 'Mac ',
};

/** What a code stands for, VirtualBox's misspelt ones too; null for one that nobody knows. */
export function platformOf(code: string): Platform | null {
  return Object.hasOwn(PLATFORMS, code) ? PLATFORMS[code]! : null;
}

/** Tells whether the data of a locator is a path that this parser reads: all but the alias of `Mac ` and unknown codes. */
export function isPathLocator(locator: ParentLocator): boolean {
  const platform = platformOf(locator.code);
  return platform !== null && platform !== 'Mac ';
}

/**
 * The bytes of room that a locator's data space tells: sectors below 512, else bytes, in whole sectors; null where it is
 * neither. A path that is written in place of another must fit into it.
 */
export function locatorRoom({ dataSpace }: Pick<ParentLocator, 'dataSpace'>): number | null {
  if (dataSpace < SECTOR) return dataSpace * SECTOR;
  return dataSpace % SECTOR === 0 ? dataSpace : null;
}

/**
 * Checks that a locator's data ends before `limit`, where the footer begins or the file ends, and is no longer than a path can
 * be. `where` is that of the entry.
 * @throws VHD_LOCATOR
 */
export function checkLocator({ slot, code, dataLength, dataOffset }: ParentLocator, limit: number, where: Where): void {
  const tooLong = dataLength > MOST_DATA;
  if (!tooLong && dataOffset + dataLength <= limit) return;
  throw malformed('VHD_LOCATOR', where, {
    at: tooLong ? 8 : 16,
    what: `parent locator ${slot} (${code}) claims ${dataLength} bytes at ${dataOffset} of a file of ${limit}`,
    expected: tooLong ? MOST_DATA : limit,
    found: tooLong ? dataLength : dataOffset + dataLength,
    hint: HINT,
  });
}

/**
 * Checks that a locator's data lies over nothing else: whoever writes to the image would write over it.
 * @throws VHD_LOCATOR
 */
export function checkLocatorPlace(
  { slot, code, dataLength, dataOffset }: ParentLocator,
  taken: readonly TakenRange[],
  where: Where,
): void {
  const over = taken.find(({ start, end }) => start < dataOffset + dataLength && dataOffset < end);
  if (!over || dataLength === 0) return;
  throw malformed('VHD_LOCATOR', where, {
    at: 16,
    what: `parent locator ${slot} (${code}) has its data at ${dataOffset}, which overlaps ${over.name}`,
    found: dataOffset,
    hint: HINT,
  });
}

/** The path in a locator's data, without trailing NULs. */
export function parseLocatorPath(code: string, data: Uint8Array): string {
  const whole = encodingOf(code) === 'utf16le' ? data.subarray(0, data.byteLength & ~1) : data;
  const text = asBuffer(whole).toString(encodingOf(code));
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** The bytes of a path as a locator of `code` stores it. */
export function encodeLocatorPath(code: string, path: string): Uint8Array {
  return Uint8Array.from(Buffer.from(path, encodingOf(code)));
}

function encodingOf(code: string): 'utf16le' | 'utf8' | 'latin1' {
  const platform = platformOf(code);
  if (platform === 'W2ru' || platform === 'W2ku') return 'utf16le';
  return platform === 'MacX' ? 'utf8' : 'latin1';
}

const HINT = 'the header is damaged; copy the image again from where it came';
