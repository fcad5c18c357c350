import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  batmapChecksum,
  checkImage,
  createImage,
  createPlannedImage,
  encodeBatmapHeader,
  encodeLocatorPath,
  type Finding,
  geometryOf,
  planImage,
} from '../../src/image/vhd-parser.ts';
import { describeRealImages, realImage } from '../support/real-images.ts';
import { buildChain, encodeLink, idOf } from '../support/vhd-chain.ts';
import {
  damaged,
  dynamicImage,
  fixedImage,
  TABLE,
  WRITES,
  withBytes,
  withEntry,
  withFooter,
  withHeader,
} from '../support/vhd-damage.ts';
import { imageFolder } from '../support/vhd-folder.ts';
import { link } from '../support/vhd-program.ts';

const folder = imageFolder();
const NOW = Date.UTC(2024, 0, 1);
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
let count = 0;

/** Where the last footer of `dynamicImage()` begins, and its second block. */
const END = dynamicImage().length - 512;
const BLOCK = 2048;
/** What our small images are told for: they are of small blocks, packed. */
const USUAL = ['VHD_BLOCK_SIZE', 'VHD_ALIGNMENT'];

async function check(image: Uint8Array, name = 'x.vhd'): Promise<Finding[]> {
  const path = folder.file(`${count++}-${name}`);
  await writeFile(path, image);
  return await checkImage(path, { now: NOW });
}

function told(findings: readonly Finding[]): string[] {
  return findings
    .filter(({ code }) => !USUAL.includes(code))
    .map(({ severity, code, offset = '' }) => `${severity} ${code} ${offset}`.trim());
}

function differencing(): Buffer {
  const child = link('differencing', { writes: WRITES });
  return Buffer.from(encodeLink(child, { id: idOf(1), parentId: idOf(0), parentPath: 'parent.vhd' }));
}

function withLocator(change: { code?: string; dataSpace?: number; text?: Uint8Array; dataOffset?: number }): Buffer {
  const image = differencing();
  const data = change.text ?? encodeLocatorPath('W2ru', '.\\parent.vhd');
  image.fill(0, 1536, 2048).set(data, 1536);
  const { code = 'W2ru', dataSpace = 512, dataOffset = 1536 } = change;
  return withHeader(image, { locators: [{ slot: 3, code, dataSpace, dataLength: data.byteLength, dataOffset }] });
}

/** A tap image whose batmap says that the given blocks are full. */
function tapImage(full: readonly number[], change: { checksum?: number; mapOffset?: number } = {}): Buffer {
  const image = Buffer.from(
    encodeLink(link('dynamic', { writes: WRITES, gap: 2 }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
  );
  const map = new Uint8Array(512);
  for (const block of full) map[block >>> 3]! |= 0x80 >>> (block & 7);
  const version = 0x00010002;
  const header = { mapOffset: 2560, mapSectors: 1, version, checksum: batmapChecksum(map, version), marker: 0 };
  image.set(encodeBatmapHeader({ ...header, ...change, keyHash: null }), 2048);
  image.set(map, 2560);
  return withFooter(image, { creatorApplication: 'tap\0', creatorVersion: 0x00010003 });
}

/** Copy of the footer, header, so many sectors of block 0, and only then the table. */
function tableBehindBlock(sectors: number, size: number, entries: number): Buffer {
  const image = dynamicImage();
  const block = image.subarray(BLOCK, BLOCK + (1 + sectors) * 512);
  const table = Buffer.alloc(512, 0xff);
  table.writeUInt32BE(TABLE / 512);
  const moved = Buffer.concat([image.subarray(0, TABLE), block, table, image.subarray(END)]);
  withFooter(moved, { currentSize: size, geometry: geometryOf(size) });
  return withHeader(moved, { tableOffset: TABLE + block.length, maxTableEntries: entries });
}

type Disease = readonly [what: string, findings: readonly string[], image: () => Uint8Array];

const DISEASES: readonly Disease[] = [
  ['nothing at all', [], dynamicImage],
  ['nothing at all, as a fixed disk', [], () => fixedImage(102400)],
  // Footers.
  ['a reserved feature bit', ['info VHD_FEATURES 19464'], () => withFooter(dynamicImage(), { features: 6 })],
  ['the bit of temporary disks', ['info VHD_TEMPORARY 19464'], () => withFooter(dynamicImage(), { features: 3 })],
  ['a version of 1.2', ['info VHD_VERSION 19468'], () => withBytes(dynamicImage(), 'footers', 12, '00010002')],
  [
    'a time stamp of the next century',
    ['info VHD_TIMESTAMP 19480'],
    () => withFooter(dynamicImage(), { timestamp: 2 ** 32 - 1 }),
  ],
  ['an original size of 0', ['info VHD_ORIGINAL_SIZE 19496'], () => withFooter(dynamicImage(), { originalSize: 0 })],
  [
    'a geometry beyond its end',
    ['warning VHD_GEOMETRY 19512'],
    () => withFooter(dynamicImage(), { geometry: { cylinders: 100, heads: 4, sectorsPerTrack: 17 } }),
  ],
  [
    'a creator that qemu does not know',
    ['info VHD_SIZE_QUIRK 19512'],
    () => withFooter(dynamicImage(), { creatorApplication: 'xyz ' }),
  ],
  ['no unique id', ['warning VHD_NULL_ID 19524'], () => withFooter(dynamicImage(), { uniqueId: idOf(0).fill(0) })],
  ['a suspended machine', ['warning VHD_SAVED_STATE 19540'], () => withFooter(dynamicImage(), { savedState: true })],
  ['a hidden disk', ['info VHD_HIDDEN 19541'], () => withFooter(dynamicImage(), { hidden: true })],
  ['a reserved byte', ['info VHD_FOOTER_RESERVED 19556'], () => withBytes(dynamicImage(), 'footers', 100, '07')],
  [
    'a data offset in a fixed disk',
    ['info VHD_DATA_OFFSET 102416'],
    () => withFooter(fixedImage(102400), { dataOffset: 0xffffffff }, ['end']),
  ],
  ['no footer at its end', ['warning VHD_FOOTER_COPY_USED'], () => dynamicImage().subarray(0, -512)],
  ['a damaged footer', ['warning VHD_FOOTER_COPY_USED 19520'], () => damaged(dynamicImage(), -400)],
  ['a damaged copy', ['warning VHD_FOOTER_COPY_BAD 64'], () => damaged(dynamicImage(), 100)],
  ['no copy', ['warning VHD_FOOTER_COPY_BAD 0'], () => dynamicImage().fill(0, 0, 512)],
  ['two time stamps', ['info VHD_FOOTERS_DIFFER 24'], () => withFooter(dynamicImage(), { timestamp: 5 }, ['start'])],
  ['two sizes', ['warning VHD_FOOTERS_DIFFER 48'], () => withFooter(dynamicImage(), { currentSize: 512 }, ['start'])],
  ['a footer of 511 bytes', ['info VHD_FOOTER_SHORT 19456'], () => dynamicImage().subarray(0, -1)],
  [
    'both footers damaged',
    ['damage VHD_FOOTER_CHECKSUM 19520', 'info VHD_FOOTER_COPY_BAD 0', 'info VHD_FOOTER_RESERVED 19568'],
    () => damaged(dynamicImage(), 100, -400),
  ],
  // Header and table.
  ['a next header', ['info VHD_HEADER_NEXT 520'], () => withBytes(dynamicImage(), 'header', 8, '0000000000000200')],
  ['a header of 1.1', ['info VHD_VERSION 536'], () => withBytes(dynamicImage(), 'header', 24, '00010001')],
  [
    'reserved bytes in its header',
    ['info VHD_HEADER_RESERVED 1280'],
    () => withBytes(dynamicImage(), 'header', 768, '01'),
  ],
  [
    'a parent that it does not have',
    ['info VHD_PARENT_UNUSED 552'],
    () => withHeader(dynamicImage(), { parentUniqueId: idOf(4) }),
  ],
  ['more entries than blocks', ['info VHD_TABLE_SIZE 540'], () => withHeader(dynamicImage(), { maxTableEntries: 14 })],
  [
    'entries beyond the disk',
    ['info VHD_TABLE_SIZE 540', `info VHD_TABLE_EXTRA ${TABLE + 52}`],
    () => withEntry(withHeader(dynamicImage(), { maxTableEntries: 14 }), 13, 4),
  ],
  ['a padding of its own', [`info VHD_TABLE_PADDING ${TABLE + 52}`], () => withEntry(dynamicImage(), 20, 1)],
  [
    'a damaged checksum and a block size of 7',
    ['damage VHD_HEADER_CHECKSUM 548', 'damage VHD_HEADER_FIELD 544'],
    () => damaged(withBytes(dynamicImage(), 'header', 32, '00000007'), 549),
  ],
  [
    'every entry wrong',
    [0, 1, 2, 3].map((block) => `damage VHD_BAT ${TABLE + block * 4}`),
    () => withEntry(withEntry(withEntry(withEntry(dynamicImage(), 0, 0), 1, 22), 3, 2), 2, 30),
  ],
  // Blocks.
  ['data under a clear bit', [`warning VHD_BITMAP_CLEAR ${BLOCK}`], () => dynamicImage().fill(0x7f, BLOCK, BLOCK + 1)],
  ['a clear bit over zeros', [], () => dynamicImage().fill(0xbf, BLOCK, BLOCK + 1)],
  ['bits behind those of a block', [`info VHD_BITMAP_PADDING ${BLOCK + 2}`], () => damaged(dynamicImage(), BLOCK + 5)],
  // What belongs to nothing.
  [
    'slack of zeros',
    [`info VHD_SLACK ${END}`],
    () => Buffer.concat([dynamicImage().subarray(0, END), Buffer.alloc(9 * 512), dynamicImage().subarray(END)]),
  ],
  [
    'slack as Windows leaves it',
    [],
    () => Buffer.concat([dynamicImage().subarray(0, END), Buffer.alloc(8 * 512), dynamicImage().subarray(END)]),
  ],
  ['a gap', [`info VHD_GAPS ${BLOCK}`], () => withEntry(dynamicImage(), 0, 0xffffffff)],
  [
    'slack in a fixed disk',
    ['info VHD_SLACK 102400'],
    () =>
      Buffer.concat([fixedImage(102400).subarray(0, -512), Buffer.alloc(512, 1), fixedImage(102400).subarray(-512)]),
  ],
  ['a table right behind a block', [], () => tableBehindBlock(16, 102400, 13)],
  ['a table right behind the end of the disk in its last block', [], () => tableBehindBlock(7, 7 * 512, 1)],
  // XenServer.
  [
    'a batmap of a block with a clear bit',
    ['warning VHD_BATMAP 2560'],
    () => {
      const image = tapImage([0]);
      // Sector 15, which is zero.
      image[image.readUInt32BE(TABLE) * 512 + 1] = 0xfe;
      return image;
    },
  ],
  ['a true batmap', [], () => tapImage([0, 2])],
  ['a batmap that says less than there is', [], () => tapImage([])],
  ['a batmap of a block that is not there', ['warning VHD_BATMAP 2560'], () => tapImage([0, 1])],
  ['a batmap with a wrong checksum', ['warning VHD_BATMAP 2072'], () => tapImage([0], { checksum: 1 })],
  ['a batmap beyond the file', ['warning VHD_BATMAP 2056'], () => tapImage([0], { mapOffset: 2 ** 30 })],
  [
    'a locator in the table',
    [
      'damage VHD_LOCATOR 1176',
      'warning VHD_OVERLAP 2048',
      'warning VHD_LOCATOR_PATH 2048',
      'info VHD_LOCATOR_NONE 1088',
    ],
    () => withLocator({ dataOffset: 2048 }),
  ],
];

/** Besides that the parent is not there. */
const CHILD_DISEASES: readonly Disease[] = [
  ['no parent', [], () => withLocator({})],
  [
    'VirtualBox’s code',
    ['info VHD_LOCATOR_CODE 1160'],
    () => withLocator({ code: 'M\x162X', text: Buffer.from('file://./p.vhd') }),
  ],
  [
    'an unknown code',
    ['info VHD_LOCATOR_CODE 1160', 'info VHD_LOCATOR_NONE 1088'],
    () => withLocator({ code: 'Xxxx' }),
  ],
  ['a data space of 700', ['info VHD_LOCATOR_SPACE 1164'], () => withLocator({ dataSpace: 700 })],
  ['half a character', ['warning VHD_LOCATOR_PATH 1536'], () => withLocator({ text: Buffer.from('2e005cd8', 'hex') })],
  ['a byte over', ['warning VHD_LOCATOR_PATH 1536'], () => withLocator({ text: Buffer.from('2e005c0061', 'hex') })],
  ['no locator', ['warning VHD_LOCATOR_NONE 1088'], () => withHeader(differencing(), { locators: [], parentName: '' })],
];

describe('a check', () => {
  it.each(DISEASES)('of an image with %s tells just that, and where', async (_what, findings, image) => {
    expect(told(await check(image())).sort()).toEqual([...findings].sort());
  });

  it.each(CHILD_DISEASES)('of a child with %s tells just that, and where', async (_what, findings, image) => {
    const all = ['damage VHD_PARENT_MISSING 552', ...findings];
    expect(told(await check(image())).sort()).toEqual(all.sort());
  });

  it('tells what is there, what should be, and what to do', async () => {
    const [finding] = (await check(withFooter(dynamicImage(), { currentSize: 512 }, ['start']))).filter(
      ({ code }) => code === 'VHD_FOOTERS_DIFFER',
    );
    expect(finding).toMatchObject({ expected: 102400, found: 512, cure: expect.stringContaining('vhd repair') });
    expect(finding!.what).toContain('currentSize 512 (at the end 102400)');
  });

  it('finds nothing in what we write, of every kind and size', async () => {
    const sizes = [1, 2, 8, 67, 69, 2049, 69632, 1032190].map((sectors) => sectors * 512);
    for (const size of [...sizes, 127 * GIB, 2040 * GIB - 512, 2040 * GIB]) {
      for (const format of ['vhd-fixed', 'vhd-dynamic'] as const) {
        for (const blockSize of format === 'vhd-fixed' ? [2 * MIB] : [2 * MIB, MIB / 2]) {
          const path = folder.file(`healthy${count++}.vhd`);
          const isAllocated = (block: number): boolean => block % 1000 === 0;
          await createPlannedImage(path, planImage({ format, size, blockSize, isAllocated, now: NOW }));
          expect(await checkImage(path, { now: NOW }), `${format} ${size} ${blockSize}`).toEqual([]);
          await truncate(path, 0);
        }
      }
    }
  });

  it('finds nothing in a chain that we write', async () => {
    const base = folder.file('base.vhd');
    await (await createImage(base, { type: 'dynamic', size: 10 * MIB }))[Symbol.asyncDispose]();
    const path = folder.file('over.vhd');
    {
      await using child = await createImage(path, { type: 'differencing', parent: base });
      await child.write(3 * MIB, new Uint8Array(1024).fill(1));
    }
    expect(await checkImage(path)).toEqual([]);
  });

  it('tells the first 20 of a kind, and how many more there are', async () => {
    const image = Buffer.from(
      encodeLink(link('dynamic', { size: 409600 }), { id: idOf(1), parentId: idOf(0), parentPath: '' }),
    );
    for (let block = 0; block < 50; block++) withEntry(image, block, 1);
    const found = (await check(image)).filter(({ severity }) => severity === 'damage');
    expect(found).toHaveLength(21);
    expect(found.at(-1)!.what).toMatch(/^and \d+ more/);
  });

  it('tells the worst first, in which block by block everything is named', async () => {
    const image = withFooter(withEntry(dynamicImage(), 1, 0x80000000), { savedState: true });
    const severities = (await check(image)).map(({ severity }) => severity);
    expect(severities).toEqual([...severities].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b)));
    expect(severities.slice(0, 2)).toEqual(['damage', 'warning']);
  });

  it('of a large disk with a few blocks reads only these', async () => {
    const path = folder.file('large.vhd');
    const isAllocated = (block: number): boolean => block === 3 || block === 1_000_000;
    await createPlannedImage(path, planImage({ format: 'vhd-dynamic', size: 2040 * GIB, isAllocated }));
    const before = performance.now();
    expect(await checkImage(path)).toEqual([]);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

const ORDER = ['damage', 'warning', 'info'];

describe('a check of a chain', () => {
  const chain = async (name: string, size: number, id = 1): Promise<string> => {
    const place = join(folder.path, name);
    const links = [link('fixed', { writes: WRITES }), link('differencing', { size, writes: WRITES })];
    const { paths } = await buildChain(folder.path, links, name);
    const [base, child] = paths as [string, string];
    if (id === 0) await writeFile(child, withFooter(differencing(), { uniqueId: idOf(0) }));
    expect(base.startsWith(place)).toBe(true);
    return child;
  };

  it('tells a child that is larger or smaller than its parent', async () => {
    for (const size of [51200, 204800]) {
      const findings = await checkImage(await chain(`size${size}`, size), { now: NOW });
      expect(told(findings)).toEqual(['info VHD_PARENT_SIZE']);
      expect(findings.find(({ code }) => code === 'VHD_PARENT_SIZE')).toMatchObject({ expected: 102400, found: size });
    }
  });

  it('tells a merge that was interrupted, of the image or into it', async () => {
    const child = await chain('merged', 102400);
    const base = child.replace('merged1', 'merged0');
    await writeFile(`${child}.merging`, JSON.stringify({ schema: 1, parent: base, format: 'vhd', stamp: '1:2:3' }));
    expect(told(await checkImage(child, { now: NOW }))).toEqual(['warning VHD_MERGE_INTERRUPTED']);
    expect(told(await checkImage(base, { now: NOW }))).toEqual(['warning VHD_MERGE_INTERRUPTED']);
    await rm(child);
    expect(told(await checkImage(base, { now: NOW }))).toEqual(['info VHD_MERGE_INTERRUPTED']);
    await rm(`${child}.merging`);
    expect(told(await checkImage(base, { now: NOW }))).toEqual([]);
  });

  it('tells what is wrong with the parents as damage', async () => {
    const child = await chain('parents', 102400);
    const base = child.replace('parents1', 'parents0');
    await writeFile(base, withFooter(fixedImage(102400), { uniqueId: idOf(9) }, ['end']));
    expect(told(await checkImage(child, { now: NOW }))).toEqual(['damage VHD_PARENT_WRONG']);
  });
});

describe('a check of something else', () => {
  it('tells it as damage where opening refuses it, and nothing where it is a raw disk', async () => {
    expect(told(await check(new Uint8Array(0)))).toEqual(['damage DISK_EMPTY']);
    expect(told(await check(new Uint8Array(1000), 'x.img'))).toEqual(['damage DISK_SIZE']);
    const vhdx = await check(Buffer.from('vhdxfile'.padEnd(512)), 'x.vhdx');
    expect(vhdx).toMatchObject([{ severity: 'damage', code: 'DISK_FORMAT_UNSUPPORTED' }]);
    expect(await check(new Uint8Array(1024), 'x.img')).toEqual([]);
    await expect(checkImage(folder.path)).rejects.toMatchObject({ code: 'DISK_NOT_A_FILE' });
    await expect(checkImage(folder.file('none.vhd'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('takes the caller’s word for a raw disk', async () => {
    const path = folder.file('told.vhd');
    await writeFile(path, damaged(dynamicImage(), 100, -400));
    expect(await checkImage(path, { format: 'raw' })).toEqual([]);
  });
});

describeRealImages('a check of real images', () => {
  it.each([
    ['dfvfs-ntfs/ntfs-fixed.vhd', []],
    ['dfvfs-ntfs/ntfs-parent.vhd', []],
    ['dfvfs-ntfs/ntfs-dynamic.vhd', ['info VHD_GAPS 2048']],
    ['dfvfs-ntfs/ntfs-differential.vhd', []],
    ['dfvfs-ext2.vhd', []],
    ['qemu-hyperv2012r2-dynamic.vhd', []],
    ['dfvfs-image.vhd', ['damage VHD_FOOTER_CHECKSUM 2099776', 'info VHD_FOOTER_COPY_BAD 0']],
    ['qemu-afl5.vhd', ['damage VHD_TRUNCATED 16', 'warning VHD_FOOTER_COPY_USED']],
  ])('finds in %s what is odd about it', async (name, findings) => {
    expect(told(await checkImage(realImage(name)))).toEqual(findings);
  });
});
