/*
 * Parent locator entry: 24 bytes, eight of them in the dynamic header at 576. The data lies elsewhere in the file.
 *
 * offset size field
 *      0    4 platform code: `W2ru` relative, `W2ku` absolute Windows path (UTF-16LE); `MacX` file URL (UTF-8);
 *             `Wi2r`, `Wi2k` deprecated 8-bit paths; `Mac ` alias; 0 = unused
 *      4    4 platform data space: sectors by the specification, bytes by everybody (so it is not relied upon)
 *      8    4 platform data length, bytes
 *     12    4 reserved, zero
 *     16    8 platform data offset, bytes from the start of the file
 */
import { asBuffer } from '../../base/hex.ts';
import { narrow } from '../../base/units.ts';
import { asciiAt, malformed, NOWHERE, setAscii, viewOf, type Where } from './where.ts';

export const LOCATOR_BYTES = 24;
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

/** Tells whether the data of a locator is a path that this parser reads. */
export function isPathLocator(locator: ParentLocator): boolean {
  return ['W2ru', 'W2ku', 'MacX', 'Wi2r', 'Wi2k'].includes(locator.code);
}

/**
 * Checks that a locator's data lies inside of a file of `fileSize` bytes and is no longer than a path can be.
 * @throws VHD_LOCATOR
 */
export function checkLocator(locator: ParentLocator, fileSize: number, where: Where): void {
  const { slot, code, dataLength, dataOffset } = locator;
  if (dataLength <= MOST_DATA && dataOffset + dataLength <= fileSize) return;
  throw malformed('VHD_LOCATOR', where, {
    what: `parent locator ${slot} (${code}) claims ${dataLength} bytes at ${dataOffset} of a file of ${fileSize}`,
    expected: Math.min(MOST_DATA, fileSize),
    found: dataOffset + dataLength,
    hint: HINT,
  });
}

/** The path in a locator's data, without trailing NULs. */
export function parseLocatorPath(code: string, data: Uint8Array): string {
  const buffer = asBuffer(data);
  const text = code.startsWith('W2')
    ? buffer.subarray(0, data.byteLength & ~1).toString('utf16le')
    : buffer.toString(code === 'MacX' ? 'utf8' : 'latin1');
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** The bytes of a path as a locator of `code` stores it. */
export function encodeLocatorPath(code: string, path: string): Uint8Array {
  return Uint8Array.from(Buffer.from(path, code.startsWith('W2') ? 'utf16le' : code === 'MacX' ? 'utf8' : 'latin1'));
}

const HINT = 'the header is damaged; copy the image again from where it came';
