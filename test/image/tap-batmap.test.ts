import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { toHex } from '../../src/base/hex.ts';
import { openImageFile } from '../../src/image/vhd/recognise.ts';
import {
  type BatmapHeader,
  batmapChecksum,
  encodeBatmapHeader,
  parseBatmapHeader,
} from '../../src/image/vhd-parser.ts';
import { encodeLink, idOf } from '../support/vhd-chain.ts';
import { dynamicImage, TABLE, WRITES, withFooter } from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';

const folder = imageFolder();

/** Written by hand from the layout table. */
const BYTES = new Uint8Array(512);
BYTES.set(
  Buffer.from('746462 61746d6170 0000000000000a00 00000001 00010002 ffffff00 07 00'.replaceAll(' ', ''), 'hex'),
);
const HEADER: BatmapHeader = {
  mapOffset: 2560,
  mapSectors: 1,
  version: 0x00010002,
  checksum: 0xffffff00,
  marker: 7,
  keyHash: null,
};
const MAP_AT = TABLE + 1024;
const KEY = { nonce: new Uint8Array(32).fill(0xaa), hash: new Uint8Array(32).fill(0xbb) };

/** A dynamic image of tapdisk with two empty sectors between its table and its first block, for header and map. */
function tapImage(header: Partial<BatmapHeader>, creatorVersion: number, map = new Uint8Array(512)): Buffer {
  const gap = link('dynamic', { writes: WRITES, gap: 2 });
  const image = Buffer.from(encodeLink(gap, { id: idOf(1), parentId: idOf(0), parentPath: '' }));
  const checksum = batmapChecksum(map, header.version ?? HEADER.version);
  image.set(encodeBatmapHeader({ ...HEADER, checksum, ...header }), TABLE + 512);
  image.set(map, MAP_AT);
  return withFooter(image, { creatorApplication: 'tap\0', creatorVersion });
}

async function open(image: Uint8Array): Promise<BatmapHeader | null> {
  const path = folder.file('tap.vhd');
  await writeFile(path, image);
  const layer = await openImageFile(path, 'vhd');
  await layer.source[Symbol.asyncDispose]();
  return layer.batmap?.header ?? null;
}

function errorOf(bytes: Uint8Array): unknown {
  try {
    parseBatmapHeader(bytes, { path: 'x', offset: 1000 });
  } catch (error) {
    if (isError(error)) return { code: error.code, offset: error.details.offset };
    throw error;
  }
}

describe('a batmap header', () => {
  it('is parsed from its bytes, and encoded to the same bytes', () => {
    expect(parseBatmapHeader(BYTES)).toEqual(HEADER);
    expect(toHex(encodeBatmapHeader(HEADER))).toBe(toHex(BYTES));
  });

  it('with a key has nonce and hash behind the mark', () => {
    const bytes = encodeBatmapHeader({ ...HEADER, keyHash: KEY });
    expect(toHex(bytes.subarray(28, 96))).toBe(`0701${'aa'.repeat(32)}${'bb'.repeat(32)}0000`);
    expect(parseBatmapHeader(bytes).keyHash).toEqual(KEY);
  });

  it('without its cookie, or with a value that cannot be, is refused at its place', () => {
    const changed = (at: number, ...values: number[]): Uint8Array => {
      const bytes = BYTES.slice();
      bytes.set(values, at);
      return bytes;
    };
    expect(errorOf(changed(0, 0))).toEqual({ code: 'VHD_HEADER_MISSING', offset: 1000 });
    expect(errorOf(BYTES.subarray(0, 511))).toEqual({ code: 'VHD_HEADER_MISSING', offset: 1000 });
    expect(errorOf(changed(8, 0, 0x20))).toEqual({ code: 'VHD_HEADER_FIELD', offset: 1008 });
    expect(errorOf(changed(20, 0, 1, 0, 3))).toEqual({ code: 'VHD_HEADER_FIELD', offset: 1020 });
    expect(errorOf(changed(29, 2))).toEqual({ code: 'VHD_HEADER_FIELD', offset: 1029 });
  });

  it('has the sum of the map’s bytes, which version 1.1 takes as signed', () => {
    const map = Uint8Array.of(0x01, 0x80, 0xff);
    expect(batmapChecksum(map, 0x00010002)).toBe(~0x180 >>> 0);
    expect(batmapChecksum(map, 0x00010001)).toBe(~(1 - 128 - 1) >>> 0);
    expect(batmapChecksum(new Uint8Array(512), 0x00010002)).toBe(0xffffffff);
  });
});

describe('an image of tapdisk', () => {
  it('since version 1.1 may have a batmap, which is recognised and changes nothing of the disk', async () => {
    for (const version of [0x00010001, 0x00010002, 0x00010003]) {
      expect(await open(tapImage({}, version))).toMatchObject({ mapOffset: MAP_AT, version: 0x00010002 });
    }
    expect(await open(tapImage({ version: 0x00010001 }, 0x00010003))).toMatchObject({ version: 0x00010001 });
    expect(await open(tapImage({}, 0x00010000))).toBeNull();
    expect(await open(withFooter(tapImage({}, 0), { creatorApplication: 'win ' }))).toBeNull();
    expect(
      await open(withFooter(dynamicImage(), { creatorApplication: 'tap\0', creatorVersion: 0x00010003 })),
    ).toBeNull();
  });

  it('opens without its batmap when that is damaged', async () => {
    expect(await open(tapImage({ version: 0x00020000 }, 0x00010003))).toBeNull();
    expect(await open(tapImage({ mapOffset: 2 ** 53 }, 0x00010003))).toBeNull();
  });

  it('with a key is refused, for its blocks are encrypted', async () => {
    await expect(open(tapImage({ keyHash: KEY }, 0x00010003))).rejects.toMatchObject({
      code: 'VHD_ENCRYPTED',
      details: { offset: TABLE + 512 + 29, found: 1 },
    });
    await expect(open(tapImage({ keyHash: KEY, version: 0x00020000 }, 0x00010003))).rejects.toMatchObject({
      code: 'VHD_ENCRYPTED',
    });
  });

  it('is not refused for what its guest made of a sector bitmap', async () => {
    const image = withFooter(dynamicImage(), { creatorApplication: 'tap\0', creatorVersion: 0x00010003 });
    image.set(encodeBatmapHeader({ ...HEADER, keyHash: KEY }), TABLE + 512);
    expect(await open(image)).toBeNull();
  });
});
