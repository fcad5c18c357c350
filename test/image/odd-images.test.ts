import { open as openFile, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  bitmapBytes,
  encodeDynamicHeader,
  imageFacts,
  openDisk,
  parseDynamicHeader,
} from '../../src/image/vhd-parser.ts';
import { hiddenTap } from '../support/malformed-images.ts';
import { encodeLink, idOf, sectorOf } from '../support/vhd-chain.ts';
import {
  damaged,
  dynamicImage,
  END,
  firstSector,
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
let count = 0;

async function open(image: Uint8Array, name = 'x.vhd'): ReturnType<typeof firstSector> {
  const path = folder.file(`${count++}-${name}`);
  await writeFile(path, image);
  return await firstSector(path);
}

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

  it('with a footer of 511 bytes is whole, of whatever type it is', async () => {
    expect(await open(fixedImage(102400).subarray(0, -1))).toMatchObject({ first, findings: [], format: 'vhd-fixed' });
    const findings = ['VHD_BLOCK_SIZE'];
    expect(await open(dynamicImage().subarray(0, -1))).toMatchObject({ first, findings, format: 'vhd-dynamic' });
    await writeFile(folder.file('parent.raw'), new Uint8Array(102400));
    const child = Buffer.from(
      encodeLink(link('differencing', { writes: WRITES }), {
        id: idOf(1),
        parentId: new Uint8Array(16),
        parentPath: 'parent.raw',
      }),
    );
    expect(await open(child.subarray(0, -1))).toMatchObject({ first, format: 'vhd-differencing' });
  });

  it('of a fixed disk may have 0xffffffff as its data offset', async () => {
    expect(await open(withFooter(fixedImage(102400), { dataOffset: 0xffffffff }, ['end']))).toMatchObject({
      first,
      findings: [],
    });
  });

  it('whose last block grew over its footer is read by the copy', async () => {
    const image = withEntry(dynamicImage(), 2, 22).fill(0x5a, END);
    expect(await open(image)).toMatchObject({ first, findings: ['VHD_FOOTER_COPY_USED', 'VHD_BLOCK_SIZE'] });
  });

  it('whose header names itself as the next one is read once', async () => {
    const image = withBytes(dynamicImage(), 'header', 8, '0000000000000200');
    expect(await open(image)).toMatchObject({ first, findings: ['VHD_BLOCK_SIZE'] });
  });

  it('may have its table behind its blocks, and its header behind that', async () => {
    const image = Buffer.alloc(38 * 512 + 1536);
    dynamicImage().copy(image);
    dynamicImage().copy(image, 38 * 512, TABLE, TABLE + 512);
    dynamicImage().copy(image, 39 * 512, 512, 1536);
    const header = encodeDynamicHeader({ ...parseDynamicHeader(image.subarray(512, 1536)), tableOffset: 38 * 512 });
    image.fill(0, 512, 2048).set(header, 39 * 512);
    const whole = Buffer.concat([image, dynamicImage().subarray(END)]);
    expect(await open(withFooter(whole, { dataOffset: 39 * 512 }))).toMatchObject({
      first,
      findings: ['VHD_BLOCK_SIZE'],
    });
  });

  it('may end its last block where its disk ends, before the table', async () => {
    const image = withFooter(dynamicImage(), { currentSize: 2 * 8192 + 9 * 512 });
    image.copy(image, 30 * 512 + 512, TABLE, TABLE + 512);
    withHeader(image, { tableOffset: 31 * 512 });
    expect((await open(image)).first).toEqual(first);
    await expect(open(withFooter(image, { currentSize: 2 * 8192 + 10 * 512 }))).rejects.toMatchObject({
      code: 'VHD_BAT',
    });
  });

  it('may have blocks of 256 MiB', async () => {
    const path = folder.file('large-blocks.vhd');
    const image = withHeader(dynamicImage(), { blockSize: 256 * 1024 * 1024 });
    withEntry(withEntry(image, 2, 0xffffffff), 0, 4);
    await writeFile(path, image.subarray(0, 2048));
    await truncate(path, 2048 + 65536 + 102400);
    await using file = await openFile(path, 'r+');
    await file.write(first, 0, 512, 2048 + 65536);
    await file.write(image.subarray(-512), 0, 512, 2048 + 65536 + 102400);
    expect((await firstSector(path)).first).toEqual(first);
  });

  it('that an old tapdisk hid, in its copy only or in both places, is whole', async () => {
    expect((await open(hiddenTap(0x00010001))).findings).not.toContain('VHD_FOOTERS_DIFFER');
    const { findings, first: read } = await open(hiddenTap(0x00010001, 'copy'));
    expect(read).toEqual(first);
    expect(findings).toEqual(['VHD_FOOTERS_DIFFER', 'VHD_BLOCK_SIZE']);
  });

  it('with slack before the footer, zero padding of the table, or more entries than blocks is whole', async () => {
    const slack = Buffer.concat([dynamicImage().subarray(0, -512), Buffer.alloc(4096), dynamicImage().subarray(-512)]);
    expect((await open(slack)).first).toEqual(first);
    expect((await open(dynamicImage().fill(0, TABLE + 13 * 4, TABLE + 512))).first).toEqual(first);
    expect((await open(withHeader(dynamicImage(), { maxTableEntries: 128 }))).first).toEqual(first);
  });

  it('of a creator that qemu takes the geometry of is read by its current size, and says so', async () => {
    for (const creatorApplication of ['vpc ', 'vs  ', 'qemu', 'vbox', 'xo  ', 'dutl', 'd2v\0', 'xyz\0']) {
      expect((await open(withFooter(dynamicImage(), { creatorApplication }))).findings, creatorApplication).toContain(
        'VHD_SIZE_QUIRK',
      );
      const geometry = { cylinders: 65535, heads: 16, sectorsPerTrack: 255 };
      const most = withFooter(dynamicImage(), { creatorApplication, geometry });
      expect((await open(most)).findings, creatorApplication).not.toContain('VHD_SIZE_QUIRK');
    }
    for (const creatorApplication of ['win ', 'qem2', 'd2v ', 'CTXS', 'tap\0']) {
      const image = withFooter(dynamicImage(), { creatorApplication });
      expect((await open(image)).findings, creatorApplication).not.toContain('VHD_SIZE_QUIRK');
    }
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
