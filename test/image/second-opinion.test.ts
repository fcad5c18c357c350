import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { type CreateImageOptions, checkImage, createImage, openDisk, resizeImage } from '../../src/image/vhd-parser.ts';
import { hasLibvhdi, readByLibvhdi } from '../support/libvhdi.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeIf, describeWithTool, runTool } from '../support/tool.ts';

const folder = tempFolder({ inMemory: true });
const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** Virtual sizes at which geometries change, at both sides, round ones, and the ends of blocks. */
const SIZES = [
  ...[1, 2, 8, 17, 67, 68, 69, 128, 204, 2049, 4095, 4096, 4097, 69631, 69632, 507903, 507904].map((n) => n * SECTOR),
  ...[1, 4, 10, 512].map((n) => n * MIB),
  ...[1, 8, 127].map((n) => n * GIB),
  1032190 * SECTOR,
  65535 * 16 * 63 * SECTOR - SECTOR,
  65535 * 16 * 63 * SECTOR,
  65535 * 16 * 255 * SECTOR - SECTOR,
  65535 * 16 * 255 * SECTOR,
  65535 * 16 * 255 * SECTOR + SECTOR,
  2040 * GIB - SECTOR,
  2040 * GIB,
];

/** An image that was written at both ends. */
interface Made {
  path: string;
  size: number;
  ends: { offset: number; bytes: Uint8Array }[];
}

const KINDS: Record<string, Pick<CreateImageOptions, 'type' | 'blockSize'>> = {
  fixed: { type: 'fixed' },
  dynamic: { type: 'dynamic' },
  'dynamic, of blocks of 512 KiB': { type: 'dynamic', blockSize: 512 * KIB },
};

async function make(size: number, options: Pick<CreateImageOptions, 'type' | 'blockSize'>): Promise<Made> {
  const path = `${folder.fresh('image')}.vhd`;
  const length = Math.min(size, 8 * SECTOR);
  const ends: Made['ends'] = [0, size - length].map((offset, i) => ({ offset, bytes: noise(i + 1, length) }));
  await using disk = await createImage(path, { ...options, size });
  for (const { offset, bytes } of ends) await disk.write(offset, bytes);
  // Of the small ones, the second is over the first.
  ends[0]!.bytes = await readOf(disk, 0, length);
  return { path, size, ends };
}

async function readOf(disk: Awaited<ReturnType<typeof openDisk>>, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  await disk.read(offset, bytes);
  return bytes;
}

/** What qemu reads there. */
async function readByQemu(path: string, offset: number, length: number): Promise<Buffer> {
  const out = `${folder.fresh('qemu')}.raw`;
  const options = `driver=raw,offset=${offset},size=${length},file.driver=vpc,file.file.driver=file,file.file.filename=${path}`;
  runTool('qemu-img', 'convert', '--image-opts', options, '-O', 'raw', out);
  return await readFile(out);
}

describe('an image over 2040 GiB', () => {
  it('is refused as a dynamic one, and made as a fixed one', async () => {
    const path = `${folder.fresh('large')}.vhd`;
    const size = 2040 * GIB + SECTOR;
    await expect(createImage(path, { type: 'dynamic', size })).rejects.toMatchObject({ code: 'VHD_TOO_LARGE' });
    await expect(openDisk(path)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await using disk = await createImage(path, { type: 'fixed', size });
    expect(disk.size).toBe(size);
  });

  it('is not what a dynamic one or a child can be grown to', async () => {
    const path = `${folder.fresh('grown')}.vhd`;
    const child = `${folder.fresh('child')}.vhd`;
    await (await createImage(path, { type: 'dynamic', size: MIB }))[Symbol.asyncDispose]();
    await (await createImage(child, { type: 'differencing', parent: path }))[Symbol.asyncDispose]();
    for (const one of [child, path]) {
      await expect(resizeImage(one, 2040 * GIB + SECTOR)).rejects.toMatchObject({ code: 'VHD_TOO_LARGE' });
      expect(await checkImage(one)).toEqual([]);
      expect(await resizeImage(one, 2040 * GIB)).toMatchObject({ before: MIB, after: 2040 * GIB });
      await using disk = await openDisk(one);
      expect(disk.size).toBe(2040 * GIB);
    }
  });
});

describe.each(Object.entries(KINDS))('what we write as a %s image', (_kind, options) => {
  const made: Made[] = [];
  beforeAll(async () => {
    for (const size of SIZES) made.push(await make(size, options));
  });

  it('has nothing that our own check finds, and reads as it was written, from a sector to 2040 GiB', async () => {
    for (const { path, size, ends } of made) {
      // So large a disk of so small blocks has to pack them.
      const packed = options.blockSize === 512 * KIB && size > 2039 * GIB ? ['VHD_ALIGNMENT'] : [];
      expect(
        (await checkImage(path)).map(({ code }) => code),
        `${size}`,
      ).toEqual(packed);
      await using disk = await openDisk(path);
      expect(disk.size).toBe(size);
      for (const { offset, bytes } of ends) {
        expect(Buffer.compare(await readOf(disk, offset, bytes.byteLength), bytes), `${size}`).toBe(0);
      }
    }
  });

  describeWithTool('qemu-img', 'is by qemu-img', () => {
    it('of the same size, and the same at both ends', async () => {
      for (const { path, size, ends } of made) {
        const info = runTool('qemu-img', 'info', '-f', 'vpc', '--output=json', path);
        expect((JSON.parse(info) as Record<string, unknown>)['virtual-size']).toBe(size);
        for (const { offset, bytes } of size > 8 * SECTOR ? ends : ends.slice(1)) {
          const found = await readByQemu(path, offset, bytes.byteLength);
          expect(Buffer.compare(found, bytes), `${size} at ${offset}`).toBe(0);
        }
      }
    });
  });

  describeIf(hasLibvhdi(), 'python3-libvhdi is not installed', 'is by libvhdi', () => {
    it('of the same size, and the same at both ends', () => {
      const answers = readByLibvhdi(
        made.map(({ path, ends }) => ({
          chain: [path],
          reads: ends.map(({ offset, bytes }) => [offset, bytes.byteLength] as const),
        })),
      );
      for (const [i, { size, reads }] of answers.entries()) {
        expect(size).toBe(made[i]!.size);
        for (const [n, found] of reads.entries()) {
          expect(Buffer.compare(found, made[i]!.ends[n]!.bytes), `${size}, end ${n}`).toBe(0);
        }
      }
    });
  });
});
