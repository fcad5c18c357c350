import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { encodeFooter, parseDynamicHeader } from '../../src/image/vhd-parser.ts';
import { encodeLink, footerOf, idOf } from '../support/vhd-chain.ts';
import {
  damaged,
  dynamicImage,
  firstSector,
  fixedImage,
  TABLE,
  WRITES,
  withEntry,
  withFooter,
  withHeader,
} from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';

const folder = imageFolder();
let count = 0;

async function open(image: Uint8Array, name = 'x.vhd'): ReturnType<typeof firstSector> {
  const path = folder.file(`${count++}-${name}`);
  await writeFile(path, image);
  return await firstSector(path);
}

const refused: [what: string, code: string, image: () => Uint8Array][] = [
  ['a block size of 0', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 0 })],
  ['a block size of 128', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 128 })],
  ['a block size of 0x12345678', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 0x12345678 })],
  ['0x40000001 table entries', 'VHD_BAT', () => withHeader(dynamicImage(), { maxTableEntries: 0x40000001 })],
  ['fewer table entries than blocks', 'VHD_BAT', () => withHeader(dynamicImage(), { maxTableEntries: 12 })],
  ['a table beyond the file', 'VHD_TRUNCATED', () => withHeader(dynamicImage(), { tableOffset: 2 ** 40 })],
  ['a current size of 2 EiB', 'VHD_BAT', () => withFooter(dynamicImage(), { currentSize: 2 ** 52 })],
  ['a table entry of 0', 'VHD_BAT', () => withEntry(dynamicImage(), 0, 0)],
  ['a table entry in the header', 'VHD_BAT', () => withEntry(dynamicImage(), 0, 2)],
  ['a table entry in the table', 'VHD_BAT', () => withEntry(dynamicImage(), 0, 3)],
  ['a table entry beyond the file', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 0x80000000)],
  ['a block that reaches into the footer', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 23)],
  ['the same place for two blocks', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 4)],
  ['blocks that overlap', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 5)],
  ['a bad checksum in both footers', 'VHD_FOOTER_CHECKSUM', () => damaged(dynamicImage(), 100, -400)],
  ['a bad checksum of the header', 'VHD_HEADER_CHECKSUM', () => damaged(dynamicImage(), 512 + 800)],
  ['no header at the data offset', 'VHD_HEADER_MISSING', () => withFooter(dynamicImage(), { dataOffset: 1536 })],
  ['a data offset beyond the file', 'VHD_TRUNCATED', () => withFooter(dynamicImage(), { dataOffset: 2 ** 40 })],
  ['no data offset', 'VHD_FOOTER_FIELD', () => withFooter(dynamicImage(), { dataOffset: null })],
  ['a file that ends in the last block', 'VHD_TRUNCATED', () => dynamicImage().subarray(0, -1024)],
  ['a file that ends in the table', 'VHD_TRUNCATED', () => dynamicImage().subarray(0, 1536 + 16)],
  ['a file that ends in the header', 'VHD_TRUNCATED', () => dynamicImage().subarray(0, 1000)],
  ['a file that ends in the copy of the footer', 'VHD_FOOTER_MISSING', () => dynamicImage().subarray(0, 500)],
  ['a size that is no multiple of 512', 'VHD_FOOTER_FIELD', () => withFooter(dynamicImage(), { currentSize: 102401 })],
  ['a fixed disk that lost its middle', 'VHD_TRUNCATED', () => fixedImage(102400).subarray(1024)],
  [
    'tapdisk 0.1',
    'VHD_FOOTER_FIELD',
    () => withFooter(dynamicImage(), { creatorApplication: 'tap\0', creatorVersion: 1 }),
  ],
  ['tapdisk and a key', 'VHD_ENCRYPTED', () => encryptedImage()],
  ['a locator beyond the file', 'VHD_LOCATOR', () => withLocator(12, 2 ** 40)],
  ['a locator of 4 GiB', 'VHD_LOCATOR', () => withLocator(0xffffffff, 1536)],
  ['a locator longer than any path', 'VHD_LOCATOR', () => withLocator(200000, 1536)],
  [
    'a footer of another disk at its end',
    'VHD_FOOTER_FIELD',
    () => withFooter(dynamicImage(), { uniqueId: idOf(9) }, ['end']),
  ],
  ['a block over a parent locator', 'VHD_BAT', () => blockOverLocator()],
  ['a guest’s footer as the last sector of a cut file', 'VHD_FOOTER_FIELD', () => guestFooter()],
];

function encryptedImage(): Buffer {
  const image = Buffer.from(
    encodeLink(link('dynamic', { writes: WRITES, gap: 1 }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
  );
  image.set(Buffer.from('tdbatmap'), TABLE + 512);
  image[TABLE + 512 + 29] = 1;
  return withFooter(image, { creatorApplication: 'tap\0', creatorVersion: 0x00010003 });
}

function withLocator(dataLength: number, dataOffset: number): Buffer {
  const child = link('differencing', { writes: WRITES });
  const image = Buffer.from(encodeLink(child, { id: idOf(1), parentId: idOf(0), parentPath: 'p.vhd' }));
  return withHeader(image, { locators: [{ slot: 0, code: 'W2ru', dataSpace: 512, dataLength, dataOffset }] });
}

/** The locator's text is the bitmap of block 0. */
function blockOverLocator(): Buffer {
  const child = link('differencing', { writes: WRITES });
  const image = Buffer.from(encodeLink(child, { id: idOf(1), parentId: idOf(0), parentPath: 'p.vhd' }));
  const { tableOffset, locators } = parseDynamicHeader(image.subarray(512, 1536));
  const block = image.readUInt32BE(tableOffset);
  return withHeader(image, { locators: [{ ...locators[0]!, dataOffset: block * 512 }] });
}

/** Cut so that the guest's own sector, a valid footer of another disk, ends the file. */
function guestFooter(): Buffer {
  const image = dynamicImage().subarray(0, -512);
  image.set(encodeFooter(footerOf({ kind: 'fixed', size: 512 }, idOf(9))), image.length - 512);
  return image;
}

describe('a malformed image', () => {
  it.each(refused)('with %s is refused as %s', async (_what, code, image) => {
    await expect(open(image())).rejects.toMatchObject({ name: 'VhdvaultError', code });
  });

  it('that claims a lot is refused before memory is taken for it', async () => {
    const before = process.memoryUsage().arrayBuffers;
    await expect(open(withHeader(dynamicImage(), { maxTableEntries: 0x3fffffff }))).rejects.toThrow();
    await expect(open(withLocator(0xffffffff, 0))).rejects.toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
  });

  it('tells file, offset, expected and found, and what to do', async () => {
    const error = await open(withEntry(dynamicImage(), 1, 0x80000000)).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      code: 'VHD_BAT',
      details: { path: expect.stringContaining('x.vhd'), offset: TABLE + 4, found: 0x80000000 },
      hint: expect.stringContaining('copy'),
    });
  });
});
