import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { toHex } from '../../src/base/hex.ts';
import {
  type DynamicHeader,
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocator,
  encodeLocatorPath,
  type Footer,
  formatUniqueId,
  fromTimestamp,
  parseBat,
  parseDynamicHeader,
  parseFooter,
  parseLocator,
  parseLocatorPath,
  parseUniqueId,
  toTimestamp,
} from '../../src/image/vhd-parser.ts';

/** Hex with zeros to the given length; written by hand from the layout tables of the specification. */
function golden(length: number, ...parts: [offset: number, hex: string][]): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const [offset, hex] of parts) bytes.set(Buffer.from(hex.replaceAll(' ', ''), 'hex'), offset);
  return bytes;
}

const FOOTER_BYTES = golden(
  512,
  [0, '636f6e6563746978 00000002 00010000 0000000000000200 2715ab13'],
  [28, '77696e20 000a0000 5769326b 0000000000400000 0000000000400000'],
  [56, '0078 04 11 00000004 ffffefc4 722fa4e259c4c6458456ddb430ac4a19 00'],
);
const FOOTER: Footer = {
  features: 2,
  dataOffset: 512,
  timestamp: 0x2715ab13,
  creatorApplication: 'win ',
  creatorVersion: 0x000a0000,
  creatorHostOS: 'Wi2k',
  originalSize: 4194304,
  currentSize: 4194304,
  geometry: { cylinders: 120, heads: 4, sectorsPerTrack: 17 },
  type: 'differencing',
  uniqueId: parseUniqueId('722fa4e2-59c4-c645-8456-ddb430ac4a19'),
  savedState: false,
  hidden: false,
};

const HEADER_BYTES = golden(
  1024,
  [0, '6378737061727365 ffffffffffffffff 0000000000002000 00010000 00000002 00200000'],
  [36, 'ffffe6cf e7ea92008493954ea8169572339be931 00000000'],
  [64, '0070 002e 0076 0068 0064'],
  [576, '57326b75 00001000 00000056 00000000 0000000000001000'],
  [600, '57327275 00010000 00000022 00000000 0000000000003000'],
);
const HEADER: DynamicHeader = {
  tableOffset: 0x2000,
  maxTableEntries: 2,
  blockSize: 0x200000,
  parentUniqueId: parseUniqueId('e7ea9200-8493-954e-a816-9572339be931'),
  parentTimestamp: 0,
  parentName: 'p.vhd',
  locators: [
    { slot: 0, code: 'W2ku', dataSpace: 0x1000, dataLength: 0x56, dataOffset: 0x1000 },
    { slot: 1, code: 'W2ru', dataSpace: 0x10000, dataLength: 0x22, dataOffset: 0x3000 },
  ],
};

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
  return 'none';
}

function changed(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

describe('a footer', () => {
  it('is parsed from its bytes, and encoded to the same bytes', () => {
    expect(parseFooter(FOOTER_BYTES)).toEqual(FOOTER);
    expect(toHex(encodeFooter(FOOTER))).toBe(toHex(FOOTER_BYTES));
  });

  it('of 511 bytes counts the missing one as zero', () => {
    expect(parseFooter(FOOTER_BYTES.subarray(0, 511))).toEqual(FOOTER);
  });

  it('of a fixed disk has the 64-bit data offset -1', () => {
    const bytes = encodeFooter({ ...FOOTER, type: 'fixed', dataOffset: null });
    expect(toHex(bytes.subarray(16, 24))).toBe('ffffffffffffffff');
    expect(parseFooter(bytes).dataOffset).toBeNull();
  });

  it('has every byte of its fields under the checksum', () => {
    for (let at = 8; at < 512; at++) {
      const bytes = changed(FOOTER_BYTES, at, FOOTER_BYTES[at]! ^ 0x5a);
      expect(
        codeOf(() => parseFooter(bytes)),
        `byte ${at}`,
      ).toBe('VHD_FOOTER_CHECKSUM');
    }
  });

  it('of tapdisk may have been hidden without a new checksum', () => {
    const tap = encodeFooter({ ...FOOTER, creatorApplication: 'tap\0', creatorVersion: 0x00010001 });
    expect(parseFooter(changed(tap, 85, 1)).hidden).toBe(true);
    expect(codeOf(() => parseFooter(changed(FOOTER_BYTES, 85, 1)))).toBe('VHD_FOOTER_CHECKSUM');
  });

  it('without the cookie, or with a field that cannot be, is refused by code', () => {
    expect(codeOf(() => parseFooter(new Uint8Array(512)))).toBe('VHD_FOOTER_MISSING');
    expect(codeOf(() => parseFooter(new Uint8Array(0)))).toBe('VHD_FOOTER_MISSING');
    for (const currentSize of [0, 513]) {
      expect(codeOf(() => parseFooter(encodeFooter({ ...FOOTER, currentSize })))).toBe('VHD_FOOTER_FIELD');
    }
  });

  it('tells the place and the values of what is wrong', () => {
    const bytes = encodeFooter({ ...FOOTER, currentSize: 513 });
    expect(() => parseFooter(bytes, { path: 'a.vhd', offset: 1000 })).toThrowError(
      expect.objectContaining({ details: { path: 'a.vhd', offset: 1048, expected: 'n * 512', found: '513' } }),
    );
  });

  it('counts its time from 2000', () => {
    expect(fromTimestamp(0)).toBe(Date.UTC(2000, 0, 1));
    expect(toTimestamp(Date.UTC(2000, 0, 1, 0, 1))).toBe(60);
    expect(toTimestamp(0)).toBe(0);
  });
});

describe('a dynamic header', () => {
  it('is parsed from its bytes, and encoded to the same bytes', () => {
    expect(parseDynamicHeader(HEADER_BYTES)).toEqual(HEADER);
    expect(toHex(encodeDynamicHeader(HEADER))).toBe(toHex(HEADER_BYTES));
  });

  it('in a Buffer is left as it was by parsing', () => {
    const buffer = Buffer.from(HEADER_BYTES);
    const header = parseDynamicHeader(buffer);
    expect(toHex(buffer)).toBe(toHex(HEADER_BYTES));
    buffer.fill(0);
    expect(header).toEqual(HEADER);
  });

  it('is never followed to its own "next"', () => {
    const bytes = encodeDynamicHeader(HEADER);
    expect(toHex(bytes.subarray(8, 16))).toBe('ffffffffffffffff');
  });

  it('with a block size that is no power of two from 4 KiB to 256 MiB is refused', () => {
    for (const blockSize of [0, 128, 512, 2048, 0x12345678, 0x20000000]) {
      expect(codeOf(() => parseDynamicHeader(encodeDynamicHeader({ ...HEADER, blockSize })))).toBe('VHD_HEADER_FIELD');
    }
  });

  it('without its cookie, or with a wrong checksum, is refused by code', () => {
    expect(codeOf(() => parseDynamicHeader(new Uint8Array(1024)))).toBe('VHD_HEADER_MISSING');
    expect(codeOf(() => parseDynamicHeader(changed(HEADER_BYTES, 1000, 1)))).toBe('VHD_HEADER_CHECKSUM');
  });

  it('keeps a parent name of 256 units, which has no NUL, and unpaired surrogates', () => {
    for (const parentName of ['x'.repeat(256), 'a\ud800b']) {
      expect(parseDynamicHeader(encodeDynamicHeader({ ...HEADER, parentName })).parentName).toBe(parentName);
    }
  });
});

describe('a parent locator', () => {
  const BYTES = golden(24, [0, '57327275 00010000 00000022 00000000 0000000000003000']);

  it('is parsed from its bytes, and encoded to the same bytes', () => {
    const locator = { slot: 5, code: 'W2ru', dataSpace: 0x10000, dataLength: 0x22, dataOffset: 0x3000 };
    expect(parseLocator(BYTES, 5)).toEqual(locator);
    expect(toHex(encodeLocator(locator))).toBe(toHex(BYTES));
    expect(parseLocator(new Uint8Array(24), 0)).toBeNull();
  });

  it('holds its path as UTF-16LE in the W2 codes, UTF-8 in MacX, and NULs do not belong to it', () => {
    expect(toHex(encodeLocatorPath('W2ru', '.\\é'))).toBe('2e005c00e900');
    expect(toHex(encodeLocatorPath('MacX', 'file://é'))).toBe('66696c653a2f2fc3a9');
    for (const code of ['W2ru', 'W2ku', 'MacX']) {
      const data = new Uint8Array([...encodeLocatorPath(code, '.\\é'), 0, 0, 0]);
      expect(parseLocatorPath(code, data)).toBe('.\\é');
    }
  });
});

describe('a block table', () => {
  it('is big-endian and padded with 0xFF to whole sectors', () => {
    const bytes = encodeBat(Uint32Array.of(3, 0xfffffffe, 0xffffffff));
    expect(bytes.byteLength).toBe(512);
    expect(toHex(bytes.subarray(0, 16))).toBe('00000003fffffffeffffffffffffffff');
    expect([...parseBat(bytes.slice(0, 12))]).toEqual([3, 0xfffffffe, 0xffffffff]);
  });
});

describe('a unique id', () => {
  it('is written as its bytes stand, big-endian', () => {
    const text = '00112233-4455-6677-8899-aabbccddeeff';
    expect(toHex(parseUniqueId(text))).toBe('00112233445566778899aabbccddeeff');
    expect(formatUniqueId(parseUniqueId(text))).toBe(text);
  });
});
