import {
  bitmapBytes,
  isError,
  parseBat,
  parseDynamicHeader,
  parseFooter,
  UNALLOCATED,
} from '../../src/image/vhd-parser.ts';

/** Where the structures of an image are, in bytes from the start of its file. */
export interface Places {
  /** The copy at 0, where there is one, and the one at the end. */
  footers: number[];
  header: number | null;
  table: number;
  entries: number;
  blockSize: number;
  /** Of the entries in the header that are used, and of their data. */
  locators: { entry: number; data: number; length: number }[];
  /** Of stored blocks: their numbers, and where their bitmaps begin. */
  blocks: { number: number; at: number; length: number }[];
}

/** The places in a healthy image; a file that is none has none. */
export function placesOf(bytes: Buffer): Places {
  const none: Places = { footers: [], header: null, table: 0, entries: 0, blockSize: 4096, locators: [], blocks: [] };
  const end = bytes.length % 512 === 511 ? bytes.length - 511 : bytes.length - 512;
  try {
    const footer = parseFooter(bytes.subarray(end));
    if (footer.dataOffset === null || footer.type === 'fixed') return { ...none, footers: [end] };
    const header = parseDynamicHeader(bytes.subarray(footer.dataOffset, footer.dataOffset + 1024));
    const { tableOffset: table, maxTableEntries: entries, blockSize } = header;
    const length = bitmapBytes(blockSize) + blockSize;
    const bat = [...parseBat(Uint8Array.from(bytes.subarray(table, table + entries * 4)))];
    return {
      footers: [0, end],
      header: footer.dataOffset,
      table,
      entries,
      blockSize,
      locators: header.locators.map(({ slot, dataOffset, dataLength }) => ({
        entry: footer.dataOffset! + 576 + slot * 24,
        data: dataOffset,
        length: dataLength,
      })),
      blocks: bat
        .map((entry, number) => ({ number, at: entry * 512, length, entry }))
        .filter(({ entry }) => entry !== UNALLOCATED),
    };
  } catch (error) {
    if (isError(error)) return none;
    throw error;
  }
}

/** A named field of a structure. */
export type Field = readonly [name: string, at: number, length: number];

export const FOOTER_FIELDS: readonly Field[] = [
  ['cookie', 0, 8],
  ['features', 8, 4],
  ['version', 12, 4],
  ['data offset', 16, 8],
  ['timestamp', 24, 4],
  ['creator', 28, 4],
  ['creator version', 32, 4],
  ['creator OS', 36, 4],
  ['original size', 40, 8],
  ['current size', 48, 8],
  ['cylinders', 56, 2],
  ['heads', 58, 1],
  ['sectors per track', 59, 1],
  ['type', 60, 4],
  ['checksum', 64, 4],
  ['unique id', 68, 16],
  ['saved state', 84, 1],
  ['hidden', 85, 1],
  ['reserved', 86, 8],
  ['last byte', 511, 1],
];

export const HEADER_FIELDS: readonly Field[] = [
  ['cookie', 0, 8],
  ['next', 8, 8],
  ['table offset', 16, 8],
  ['version', 24, 4],
  ['entries', 28, 4],
  ['block size', 32, 4],
  ['checksum', 36, 4],
  ['parent id', 40, 16],
  ['parent timestamp', 56, 4],
  ['reserved', 60, 4],
  ['parent name', 64, 16],
  ['last byte', 1023, 1],
];

export const LOCATOR_FIELDS: readonly Field[] = [
  ['code', 0, 4],
  ['space', 4, 4],
  ['length', 8, 4],
  ['reserved', 12, 4],
  ['offset', 16, 8],
];

export const BATMAP_FIELDS: readonly Field[] = [
  ['cookie', 0, 8],
  ['map offset', 8, 8],
  ['map size', 16, 4],
  ['version', 20, 4],
  ['checksum', 24, 4],
  ['key', 29, 1],
];
