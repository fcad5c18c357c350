import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { toHex } from '../../src/base/hex.ts';
import {
  checksum,
  type DynamicHeader,
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  type Footer,
  formatUniqueId,
  fromTimestamp,
  parseBat,
  parseDynamicHeader,
  parseFooter,
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

  it('of every type and with every flag is the same after parsing and encoding, with 511 bytes too', () => {
    for (const type of ['fixed', 'dynamic', 'differencing'] as const) {
      for (const flag of [false, true]) {
        const dataOffset = type === 'fixed' ? null : 2 ** 53 - 1;
        const sizes = { originalSize: 2 ** 53 - 1, currentSize: 2 ** 53 - 512, timestamp: 0xffffffff };
        const footer = { ...FOOTER, ...sizes, type, dataOffset, savedState: flag, hidden: flag, features: 3 };
        const bytes = encodeFooter(footer);
        expect(parseFooter(bytes)).toEqual(footer);
        expect(parseFooter(bytes.subarray(0, 511))).toEqual(footer);
      }
    }
  });

  it('of a fixed disk may have the 32-bit -1 that the specification prints as its data offset', () => {
    const bytes = encodeFooter({ ...FOOTER, type: 'fixed', dataOffset: 0xffffffff });
    expect(parseFooter(bytes).dataOffset).toBe(0xffffffff);
  });

  it('keeps the four bytes of its creator whatever they are', () => {
    for (const creatorApplication of ['d2v\0', 'tap\0', '\0\0\0\0', '\xff\x80\x01é']) {
      expect(parseFooter(encodeFooter({ ...FOOTER, creatorApplication })).creatorApplication).toBe(creatorApplication);
    }
  });

  it('of tapdisk 0.1 and 1.1 may have been hidden without a new checksum, of later ones not', () => {
    const hidden = (creatorVersion: number, creatorApplication = 'tap\0'): Uint8Array =>
      changed(encodeFooter({ ...FOOTER, creatorApplication, creatorVersion }), 85, 1);
    for (const version of [0x00000001, 0x00010001]) expect(parseFooter(hidden(version)).hidden).toBe(true);
    for (const bytes of [
      hidden(0x00010002),
      hidden(0x00010003),
      hidden(0x00010001, 'win '),
      changed(hidden(1), 86, 1),
    ]) {
      expect(codeOf(() => parseFooter(bytes))).toBe('VHD_FOOTER_CHECKSUM');
    }
  });

  it('that XenServer has disabled is refused by name', () => {
    const bytes = FOOTER_BYTES.slice();
    bytes.set(Buffer.from('v_poison'), 0);
    expect(() => parseFooter(bytes)).toThrowError(
      expect.objectContaining({
        code: 'VHD_FOOTER_FIELD',
        message: expect.stringContaining('XenServer has disabled this image (cookie v_poison)'),
        details: { path: '(memory)', offset: 0, expected: 'conectix', found: 'v_poison' },
      }),
    );
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
    expect(toTimestamp(fromTimestamp(0xffffffff))).toBe(0xffffffff);
    expect(toTimestamp(fromTimestamp(0xffffffff) + 5000)).toBe(0xffffffff);
    expect(new Date(fromTimestamp(0xffffffff)).toISOString()).toBe('2136-02-07T06:28:15.000Z');
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

  it('with any power of two from 4 KiB to 256 MiB as its block size is read', () => {
    for (let blockSize = 4096; blockSize <= 256 * 1024 * 1024; blockSize *= 2) {
      expect(parseDynamicHeader(encodeDynamicHeader({ ...HEADER, blockSize })).blockSize).toBe(blockSize);
    }
  });

  it('keeps all eight locators in their slots, with numbers up to 2^53', () => {
    const locators = [...'01234567'].map((digit, slot) => ({
      slot,
      code: `Loc${digit}`,
      dataSpace: 0xffffffff,
      dataLength: 0xffffffff,
      dataOffset: 2 ** 53 - 1,
    }));
    const header = { ...HEADER, locators, tableOffset: 2 ** 53 - 1, maxTableEntries: 0xffffffff };
    const bytes = encodeDynamicHeader({ ...header, locators: locators.toReversed() });
    expect(parseDynamicHeader(bytes)).toEqual(header);
    expect(parseDynamicHeader(encodeDynamicHeader({ ...header, locators: [locators[6]!] })).locators).toEqual([
      locators[6],
    ]);
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
    for (const parentName of ['x'.repeat(256), 'a\ud800b', '\udc00'.repeat(256), '\ud800', '日本語\u{1f4be}', '']) {
      expect(parseDynamicHeader(encodeDynamicHeader({ ...HEADER, parentName })).parentName).toBe(parentName);
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

  it('of any length is padded to whole sectors, and a whole sector not further', () => {
    for (const [entries, length] of [
      [1, 512],
      [127, 512],
      [128, 512],
      [129, 1024],
    ] as const) {
      const bytes = encodeBat(new Uint32Array(entries).fill(7));
      expect(bytes.byteLength).toBe(length);
      expect(bytes.subarray(entries * 4).every((byte) => byte === 0xff)).toBe(true);
    }
  });
});

describe('the checksum', () => {
  it('is the ones’ complement of the sum of all bytes but its own', () => {
    expect(checksum(golden(512, [0, '01 02 03'], [64, 'ffffffff']), 64)).toBe(0xfffffff9);
    expect(checksum(new Uint8Array(1024), 36)).toBe(0xffffffff);
    expect(checksum(new Uint8Array(1024).fill(0xff), 36)).toBe(~(1020 * 255) >>> 0);
  });
});

describe('a unique id', () => {
  it('is written as its bytes stand, big-endian', () => {
    const text = '00112233-4455-6677-8899-aabbccddeeff';
    expect(toHex(parseUniqueId(text))).toBe('00112233445566778899aabbccddeeff');
    expect(formatUniqueId(parseUniqueId(text))).toBe(text);
  });
});
