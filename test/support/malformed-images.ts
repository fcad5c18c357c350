import { encodeFooter, parseDynamicHeader } from '../../src/image/vhd-parser.ts';
import { encodeLink, footerOf, idOf } from './vhd-chain.ts';
import {
  damaged,
  dynamicImage,
  END,
  fixedImage,
  HEADER,
  TABLE,
  WRITES,
  withBytes,
  withEntry,
  withFooter,
  withHeader,
} from './vhd-damage.ts';
import { link } from './vhd-program.ts';

/** An image with one disease: what it is, the code that it is refused by, and the offset of the field that is wrong. */
export type Malformed = readonly [what: string, code: string, offset: number, image: () => Uint8Array];

const LOCATOR = HEADER + 576;
/** The footer at the end of `childImage`, which has a sector for its locator. */
const CHILD_END = END + 512;
const BEYOND = '0020000000000000';

const FOOTERS: readonly Malformed[] = [
  ['a bad checksum in both footers', 'VHD_FOOTER_CHECKSUM', END + 64, () => damaged(dynamicImage(), 100, -400)],
  ['a hidden tapdisk 1.3', 'VHD_FOOTER_CHECKSUM', END + 64, () => hiddenTap(0x00010003)],
  ['version 2.0', 'VHD_FOOTER_FIELD', END + 12, () => withBytes(dynamicImage(), 'footers', 12, '00020000')],
  ['no data offset', 'VHD_FOOTER_FIELD', END + 16, () => withFooter(dynamicImage(), { dataOffset: null })],
  ['a data offset in a sector', 'VHD_FOOTER_FIELD', END + 16, () => withFooter(dynamicImage(), { dataOffset: 513 })],
  ['a data offset of 2^53', 'VHD_FOOTER_FIELD', END + 16, () => withBytes(dynamicImage(), 'footers', 16, BEYOND)],
  [
    'a data offset beyond the file',
    'VHD_TRUNCATED',
    END + 16,
    () => withFooter(dynamicImage(), { dataOffset: 2 ** 40 }),
  ],
  ['a header in the footer', 'VHD_TRUNCATED', END + 16, () => withFooter(dynamicImage(), { dataOffset: END - 512 })],
  ['a header in the copy', 'VHD_FOOTER_FIELD', END + 16, () => withFooter(dynamicImage(), { dataOffset: 0 })],
  ['an original size of 2^53', 'VHD_FOOTER_FIELD', END + 40, () => withBytes(dynamicImage(), 'footers', 40, BEYOND)],
  ['a current size of 2^53', 'VHD_FOOTER_FIELD', END + 48, () => withBytes(dynamicImage(), 'footers', 48, BEYOND)],
  ['a current size of 0', 'VHD_FOOTER_FIELD', END + 48, () => withFooter(dynamicImage(), { currentSize: 0 })],
  ['a current size of 102401', 'VHD_FOOTER_FIELD', END + 48, () => withFooter(dynamicImage(), { currentSize: 102401 })],
  ['a current size of 4 PiB', 'VHD_BAT', HEADER + 28, () => withFooter(dynamicImage(), { currentSize: 2 ** 52 })],
  ...[0, 1, 5, 6].map(
    (type): Malformed => [
      `disk type ${type}`,
      'VHD_FOOTER_FIELD',
      END + 60,
      () => withBytes(dynamicImage(), 'footers', 60, `0000000${type}`),
    ],
  ),
  ['a fixed disk that lost its middle', 'VHD_TRUNCATED', 101376 + 48, () => fixedImage(102400).subarray(1024)],
  ['tapdisk 0.1', 'VHD_FOOTER_FIELD', END + 32, () => tapImage(0x00000001)],
  ['the cookie v_poison', 'VHD_FOOTER_FIELD', END, () => withBytes(dynamicImage(), 'footers', 0, POISON)],
  ['v_poison in a copy without a footer', 'VHD_FOOTER_FIELD', 0, () => poisonedCopy()],
];

const CONTRADICTIONS: readonly Malformed[] = [
  [
    'a footer of another disk at its end',
    'VHD_FOOTER_FIELD',
    END + 68,
    () => withFooter(dynamicImage(), { uniqueId: idOf(9) }, ['end']),
  ],
  ['a guest’s footer as the last sector of a cut file', 'VHD_FOOTER_FIELD', END - 512 + 60, () => guestFooter('fixed')],
  ['a guest’s dynamic footer there', 'VHD_FOOTER_FIELD', END - 512 + 68, () => guestFooter('dynamic')],
  ['a guest’s header, and no whole footer', 'VHD_FOOTER_CHECKSUM', 102400 + 64, () => guestHeader()],
];

const HEADERS: readonly Malformed[] = [
  ...[0, 128, 2048, 0x12345678, 0x20000000, 0xffffffff].map(
    (blockSize): Malformed => [
      `a block size of ${blockSize}`,
      'VHD_HEADER_FIELD',
      HEADER + 32,
      () => withHeader(dynamicImage(), { blockSize }),
    ],
  ),
  ['no header at the data offset', 'VHD_HEADER_MISSING', 1536, () => withFooter(dynamicImage(), { dataOffset: 1536 })],
  ['a bad checksum of the header', 'VHD_HEADER_CHECKSUM', HEADER + 36, () => damaged(dynamicImage(), 512 + 800)],
  [
    'version 2.0 of the header',
    'VHD_HEADER_FIELD',
    HEADER + 24,
    () => withBytes(dynamicImage(), 'header', 24, '00020000'),
  ],
  ['a table at 2^53', 'VHD_HEADER_FIELD', HEADER + 16, () => withBytes(dynamicImage(), 'header', 16, BEYOND)],
  ['a table beyond the file', 'VHD_TRUNCATED', HEADER + 16, () => withHeader(dynamicImage(), { tableOffset: 2 ** 40 })],
  ['a table in the footer', 'VHD_TRUNCATED', HEADER + 16, () => withHeader(dynamicImage(), { tableOffset: END - 48 })],
  ['a table in the copy', 'VHD_HEADER_FIELD', HEADER + 16, () => withHeader(dynamicImage(), { tableOffset: 256 })],
  ['a table in the header', 'VHD_HEADER_FIELD', HEADER + 16, () => withHeader(dynamicImage(), { tableOffset: 1280 })],
  [
    '0x40000001 table entries',
    'VHD_BAT',
    HEADER + 28,
    () => withHeader(dynamicImage(), { maxTableEntries: 0x40000001 }),
  ],
  [
    '0xffffffff table entries',
    'VHD_BAT',
    HEADER + 28,
    () => withHeader(dynamicImage(), { maxTableEntries: 0xffffffff }),
  ],
  [
    'fewer table entries than blocks',
    'VHD_BAT',
    HEADER + 28,
    () => withHeader(dynamicImage(), { maxTableEntries: 12 }),
  ],
  ['tapdisk and a key', 'VHD_ENCRYPTED', TABLE + 512 + 29, () => encryptedImage()],
];

const TABLES: readonly Malformed[] = [
  ['a table entry of 0', 'VHD_BAT', TABLE, () => withEntry(dynamicImage(), 0, 0)],
  ['a table entry in the header', 'VHD_BAT', TABLE, () => withEntry(dynamicImage(), 0, 2)],
  ['a table entry in the table', 'VHD_BAT', TABLE, () => withEntry(dynamicImage(), 0, 3)],
  ['a table entry beyond the file', 'VHD_BAT', TABLE + 4, () => withEntry(dynamicImage(), 1, 0x80000000)],
  ['a table entry of 0xfffffffe', 'VHD_BAT', TABLE + 48, () => withEntry(dynamicImage(), 12, 0xfffffffe)],
  ['a block that reaches into the footer', 'VHD_BAT', TABLE + 8, () => withEntry(dynamicImage(), 2, 22)],
  ['the same place for two blocks', 'VHD_BAT', TABLE + 4, () => withEntry(dynamicImage(), 1, 4)],
  ['blocks that overlap', 'VHD_BAT', TABLE + 4, () => withEntry(dynamicImage(), 1, 5)],
  ['a block over a parent locator', 'VHD_BAT', TABLE + 512, () => blockOverLocator()],
];

const CUTS: readonly Malformed[] = [
  ['a file that ends in the last block', 'VHD_TRUNCATED', TABLE + 8, () => dynamicImage().subarray(0, -1024)],
  ['a file that ends in the table', 'VHD_TRUNCATED', HEADER + 16, () => dynamicImage().subarray(0, TABLE + 16)],
  ['a file that ends in the header', 'VHD_TRUNCATED', 16, () => dynamicImage().subarray(0, 1000)],
  ['a file that ends in the copy of the footer', 'VHD_FOOTER_MISSING', 0, () => dynamicImage().subarray(0, 500)],
  ['a fixed disk without its footer', 'VHD_FOOTER_MISSING', 102400 - 512, () => fixedImage(102400).subarray(0, -512)],
  ['VHDX content', 'DISK_FORMAT_UNSUPPORTED', 0, () => begunBy('vhdxfile')],
  ['gzip content', 'DISK_FORMAT_UNSUPPORTED', 0, () => begunBy('\x1f\x8b\x08')],
  ['raw content', 'VHD_FOOTER_MISSING', 102400 - 512, () => begunBy('')],
];

const LOCATORS: readonly Malformed[] = [
  ['a locator beyond the file', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(12, 2 ** 40)],
  ['a locator that ends beyond the file', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(513, CHILD_END)],
  ['type 4, and no name of a parent', 'VHD_PARENT_MISSING', HEADER + 40, () => withoutParent()],
  ['a locator in the footer', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(12, CHILD_END)],
  ['a locator in the copy', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(12, 500)],
  ['a locator in the header', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(12, 1000)],
  ['a locator in the table', 'VHD_LOCATOR', LOCATOR + 16, () => withLocator(12, 2050)],
  ['a locator at 2^53', 'VHD_LOCATOR', LOCATOR + 88, () => withBytes(childImage(), 'header', 576 + 88, BEYOND)],
  ['a locator of 4 GiB', 'VHD_LOCATOR', LOCATOR + 8, () => withLocator(0xffffffff, 1536)],
  ['a locator longer than any path', 'VHD_LOCATOR', LOCATOR + 8, () => withLocator(131073, 1536)],
  ['a locator in slot 7', 'VHD_LOCATOR', LOCATOR + 7 * 24 + 16, () => withLocator(12, 2 ** 40, 7)],
];

/** Every malformed image that is one file. They are to be opened by a name that ends in .vhd. */
export const MALFORMED: readonly Malformed[] = [
  ...FOOTERS,
  ...CONTRADICTIONS,
  ...HEADERS,
  ...TABLES,
  ...CUTS,
  ...LOCATORS,
];

const POISON = Buffer.from('v_poison').toString('hex');

export function tapImage(creatorVersion: number): Buffer {
  return withFooter(dynamicImage(), { creatorApplication: 'tap\0', creatorVersion });
}

/** The hidden flag set in the footers, without a new checksum, as old tapdisks did. */
export function hiddenTap(creatorVersion: number, places: 'copy' | 'both' = 'both'): Buffer {
  const image = tapImage(creatorVersion);
  image[85] = 1;
  if (places === 'both') image[END + 85] = 1;
  return image;
}

function poisonedCopy(): Buffer {
  return withBytes(dynamicImage(), 'footers', 0, POISON).subarray(0, -512);
}

/** Cut so that the guest's own sector, a valid footer of another disk, ends the file. */
function guestFooter(kind: 'fixed' | 'dynamic'): Buffer {
  const image = dynamicImage().subarray(0, -512);
  image.set(encodeFooter(footerOf({ kind, size: 512 }, idOf(9))), image.length - 512);
  return image;
}

/** A fixed disk whose guest wrote the beginning of a dynamic one, and whose own footer was damaged later. */
function guestHeader(): Buffer {
  const image = fixedImage(102400);
  image.set(dynamicImage().subarray(0, 8192), 0);
  image.set(encodeFooter(footerOf({ kind: 'dynamic', size: 102400 }, idOf(9))), 0);
  return damaged(image, -400);
}

function encryptedImage(): Buffer {
  const image = Buffer.from(
    encodeLink(link('dynamic', { writes: WRITES, gap: 1 }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
  );
  image.set(Buffer.from('tdbatmap'), TABLE + 512);
  image[TABLE + 512 + 29] = 1;
  return withFooter(image, { creatorApplication: 'tap\0', creatorVersion: 0x00010003 });
}

function childImage(): Buffer {
  const child = link('differencing', { writes: WRITES });
  return Buffer.from(encodeLink(child, { id: idOf(1), parentId: idOf(0), parentPath: 'p.vhd' }));
}

function withoutParent(): Buffer {
  return withHeader(childImage(), { locators: [], parentName: '' });
}

function withLocator(dataLength: number, dataOffset: number, slot = 0): Buffer {
  return withHeader(childImage(), { locators: [{ slot, code: 'W2ru', dataSpace: 512, dataLength, dataOffset }] });
}

/** The locator's text is the bitmap of block 0. */
function blockOverLocator(): Buffer {
  const image = childImage();
  const { tableOffset, locators } = parseDynamicHeader(image.subarray(512, 1536));
  const block = image.readUInt32BE(tableOffset);
  return withHeader(image, { locators: [{ ...locators[0]!, dataOffset: block * 512 }] });
}

function begunBy(text: string): Buffer {
  const image = Buffer.alloc(102400);
  image.write(text, 'latin1');
  return image;
}
