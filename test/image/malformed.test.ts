import { truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  bitmapBytes,
  type DynamicHeader,
  encodeDynamicHeader,
  encodeFooter,
  type Footer,
  imageFacts,
  openDisk,
  parseDynamicHeader,
  parseFooter,
} from '../../src/image/vhd-parser.ts';
import { encodeLink, footerOf, idOf, sectorOf } from '../support/vhd-chain.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';

const folder = imageFolder();
const WRITES = [
  { sector: 0, count: 1, seed: 1 },
  { sector: 40, count: 1, seed: 2 },
];
const TABLE = 1536;
let count = 0;

/** A dynamic image of 13 blocks of 8 KiB, of which 0 and 2 are stored. */
function dynamicImage(): Buffer {
  return Buffer.from(
    encodeLink(link('dynamic', { writes: WRITES }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
  );
}

function withFooter(image: Buffer, change: Partial<Footer>, places: ('start' | 'end')[] = ['start', 'end']): Buffer {
  const footer = encodeFooter({ ...parseFooter(image.subarray(-512)), ...change });
  if (places.includes('start')) image.set(footer, 0);
  if (places.includes('end')) image.set(footer, image.length - 512);
  return image;
}

function withHeader(image: Buffer, change: Partial<DynamicHeader>): Buffer {
  image.set(encodeDynamicHeader({ ...parseDynamicHeader(image.subarray(512, 1536)), ...change }), 512);
  return image;
}

function withEntry(image: Buffer, block: number, sector: number): Buffer {
  image.writeUInt32BE(sector, TABLE + block * 4);
  return image;
}

function damaged(image: Buffer, ...places: number[]): Buffer {
  for (const at of places) image[at < 0 ? image.length + at : at]! ^= 0xff;
  return image;
}

async function open(
  image: Uint8Array,
  name = 'x.vhd',
): Promise<{ first: Uint8Array; findings: string[]; format: string }> {
  const path = folder.file(`${count++}-${name}`);
  await writeFile(path, image);
  await using disk = await openDisk(path);
  const first = new Uint8Array(512);
  await disk.read(0, first);
  return { first, findings: disk.findings.map((finding) => finding.code), format: disk.format };
}

const refused: [what: string, code: string, image: () => Uint8Array][] = [
  ['a block size of 0', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 0 })],
  ['a block size of 128', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 128 })],
  ['a block size of 0x12345678', 'VHD_HEADER_FIELD', () => withHeader(dynamicImage(), { blockSize: 0x12345678 })],
  ['0x40000001 table entries', 'VHD_BAT', () => withHeader(dynamicImage(), { maxTableEntries: 0x40000001 })],
  ['fewer table entries than blocks', 'VHD_BAT', () => withHeader(dynamicImage(), { maxTableEntries: 12 })],
  ['a table beyond the file', 'VHD_TRUNCATED', () => withHeader(dynamicImage(), { tableOffset: 2 ** 40 })],
  ['a current size of 2 EiB', 'VHD_BAT', () => withFooter(dynamicImage(), { currentSize: 2 ** 52 })],
  ['a table entry of 0', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 0)],
  ['a table entry in the header', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 2)],
  ['a table entry in the table', 'VHD_BAT', () => withEntry(dynamicImage(), 1, 3)],
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
  ['a guest’s footer as the last sector of a cut file', 'VHD_FOOTER_FIELD', () => guestFooter()],
];

function fixedImage(size: number): Buffer {
  const plain = link('fixed', { size, writes: [{ sector: 0, count: 1, seed: 1 }] });
  return Buffer.from(encodeLink(plain, { id: idOf(1), parentId: idOf(0), parentPath: '' }));
}

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

describe('an odd image', () => {
  const first = sectorOf(0, 1);

  it('without the footer at its end is read by the copy, and called degraded', async () => {
    for (const image of [dynamicImage().subarray(0, -512), damaged(dynamicImage(), -400)]) {
      expect(await open(image)).toEqual({
        first,
        findings: ['VHD_FOOTER_COPY_USED', 'VHD_BLOCK_SIZE'],
        format: 'vhd-dynamic',
      });
    }
  });

  it('without the copy is read by the footer at its end', async () => {
    for (const image of [damaged(dynamicImage(), 3), damaged(dynamicImage(), 100)]) {
      expect((await open(image)).findings).toContain('VHD_FOOTER_COPY_BAD');
    }
  });

  it('whose footers differ is read by the one at the end, with the fields named', async () => {
    const image = withFooter(dynamicImage(), { timestamp: 5 }, ['start']);
    expect(await open(image)).toMatchObject({ first, findings: expect.arrayContaining(['VHD_FOOTERS_DIFFER']) });
  });

  it('of a fixed disk is never judged by its first sectors, which are the guest’s', async () => {
    const image = fixedImage(102400);
    const guest = dynamicImage();
    image.set(guest.subarray(0, 8192), 0);
    expect(await open(image)).toMatchObject({ first: new Uint8Array(guest.subarray(0, 512)), format: 'vhd-fixed' });
  });

  it('of a raw disk is never judged by its first sectors either', async () => {
    const raw = Buffer.alloc(102400);
    raw.set(dynamicImage().subarray(0, 8192), 0);
    await expect(open(raw, 'disk.img')).rejects.toMatchObject({ code: 'DISK_FORMAT_UNKNOWN' });
    const path = folder.file('guest.img');
    await writeFile(path, raw);
    await using disk = await openDisk(path, { format: 'raw' });
    expect(disk.size).toBe(raw.length);
  });

  it('with a footer of 511 bytes is whole', async () => {
    expect(await open(fixedImage(102400).subarray(0, -1))).toMatchObject({ first, format: 'vhd-fixed' });
    expect(await open(dynamicImage().subarray(0, -1))).toMatchObject({ first, format: 'vhd-dynamic' });
  });

  it('with slack before the footer, zero padding of the table, or more entries than blocks is whole', async () => {
    const slack = Buffer.concat([dynamicImage().subarray(0, -512), Buffer.alloc(4096), dynamicImage().subarray(-512)]);
    expect((await open(slack)).first).toEqual(first);
    expect((await open(dynamicImage().fill(0, TABLE + 13 * 4, TABLE + 512))).first).toEqual(first);
    expect((await open(withHeader(dynamicImage(), { maxTableEntries: 128 }))).first).toEqual(first);
  });

  it('of a creator that qemu takes the geometry of is read by its current size, and says so', async () => {
    expect((await open(withFooter(dynamicImage(), { creatorApplication: 'vbox' }))).findings).toContain(
      'VHD_SIZE_QUIRK',
    );
    expect((await open(dynamicImage())).findings).not.toContain('VHD_SIZE_QUIRK');
  });

  it('of a suspended machine says so', async () => {
    expect((await open(withFooter(dynamicImage(), { savedState: true }))).findings).toContain('VHD_SAVED_STATE');
  });

  it('of the dynamic type is what is on disk, whatever its sector bitmaps say', async () => {
    const image = dynamicImage().fill(0, 2048, 2048 + bitmapBytes(8192));
    expect((await open(image)).first).toEqual(first);
  });

  it('with table entries beyond 2^31 sectors is read there', async () => {
    const path = folder.file('far.vhd');
    const image = dynamicImage();
    const far = 0x80000001;
    await writeFile(path, withEntry(image, 2, far).subarray(0, 2048 + 17 * 512));
    await truncate(path, far * 512 + 17 * 512);
    const { open: openFile } = await import('node:fs/promises');
    await using file = await openFile(path, 'r+');
    await file.write(sectorOf(40, 2), 0, 512, far * 512 + 512 + 8 * 512);
    await file.write(image.subarray(-512), 0, 512, far * 512 + 17 * 512);
    await using disk = await openDisk(path);
    const bytes = new Uint8Array(512);
    await disk.read(40 * 512, bytes);
    expect(bytes).toEqual(sectorOf(40, 2));
  });

  it('is described as plain data in the words of the specification', async () => {
    const path = folder.file('facts.vhd');
    await writeFile(path, dynamicImage());
    const { facts } = await imageFacts(path);
    expect(JSON.parse(JSON.stringify(facts))).toEqual(facts);
    expect(facts).toMatchObject({
      path,
      format: 'vhd-dynamic',
      fileSize: dynamicImage().length,
      currentSize: 102400,
      originalSize: 102400,
      blockSize: 8192,
      uniqueId: '11111111-1111-1111-1111-111111111111',
      creatorApplication: 'win ',
      creatorVersion: '10.0',
      creatorHostOS: 'Wi2k',
      timestamp: '2022-03-07T20:26:40.000Z',
      geometry: { cylinders: 2, heads: 4, sectorsPerTrack: 17 },
      dataOffset: 512,
      tableOffset: TABLE,
      maxTableEntries: 13,
      allocatedBlocks: 2,
      savedState: false,
      diskType: 3,
      parent: null,
    });
  });
});

const foreign: [what: string, name: string, head: Buffer, hint: string][] = [
  ['VHDX', 'd.vhdx', Buffer.from('vhdxfile'), 'Convert-VHD -Path'],
  ['qcow2', 'd.qcow2', Buffer.from('QFI\xfb', 'latin1'), 'qemu-img convert -O vpc -o force_size=on'],
  ['VMDK', 'd.vmdk', Buffer.from('KDMV'), 'qemu-img convert'],
  ['VDI', 'd.vdi', Buffer.concat([Buffer.alloc(64), Buffer.from('7f10dabe', 'hex')]), 'qemu-img convert'],
  ['gzip', 'd.vhd.gz', Buffer.from('1f8b0800', 'hex'), 'gzip -dc'],
  ['bzip2', 'd.vhd.bz2', Buffer.from('BZh91AY'), 'bzip2 -dc'],
  ['xz', 'd.vhd.xz', Buffer.from('fd377a585a00', 'hex'), 'xz -dc'],
  ['zstd', 'd.vhd.zst', Buffer.from('28b52ffd', 'hex'), 'zstd -dc'],
  ['zip', 'd.zip', Buffer.from('PK\x03\x04'), 'unzip -p'],
];

describe('a file that is no VHD', () => {
  it.each(foreign)('but %s is refused with the command that converts it', async (_what, name, head, hint) => {
    const bytes = Buffer.alloc(4096);
    head.copy(bytes);
    const error = await open(bytes, name).catch((failure: unknown) => failure);
    expect(error).toMatchObject({ code: 'DISK_FORMAT_UNSUPPORTED', hint: expect.stringContaining(hint) });
    expect((error as { hint: string }).hint).toContain(folder.path);
  });

  it('is refused when it is named like one, read as raw when not, or when told to', async () => {
    const zeros = new Uint8Array(4096);
    await expect(open(zeros, 'a.vhd')).rejects.toMatchObject({ code: 'VHD_FOOTER_MISSING' });
    await expect(open(zeros, 'a.AVHD')).rejects.toMatchObject({ code: 'VHD_FOOTER_MISSING' });
    expect((await open(zeros, 'a.img')).format).toBe('raw');
    const path = folder.file('told.vhd');
    await writeFile(path, zeros);
    await using disk = await openDisk(path, { format: 'raw' });
    expect(disk.format).toBe('raw');
    await expect(openDisk(folder.file('told.vhd'), { format: 'vhd' })).rejects.toMatchObject({
      code: 'VHD_FOOTER_MISSING',
    });
  });

  it('or no file, or empty, or not of whole sectors, is refused', async () => {
    await expect(openDisk(folder.path)).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    await expect(openDisk('/dev/null')).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    await expect(openDisk(folder.file('none.vhd'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(open(new Uint8Array(0), 'a.img')).rejects.toMatchObject({ code: 'DISK_EMPTY' });
    await expect(open(new Uint8Array(1000), 'a.img')).rejects.toMatchObject({ code: 'DISK_SIZE' });
  });
});
