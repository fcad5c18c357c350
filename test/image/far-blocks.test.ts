import { open, readFile, stat } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { checkImage, createImage, openDisk, openWritable, parseBat, UNALLOCATED } from '../../src/image/vhd-parser.ts';
import { hasLibvhdi, readByLibvhdi } from '../support/libvhdi.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeIf, describeWithTool, runTool } from '../support/tool.ts';

const folder = tempFolder({ inMemory: true });
const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const BLOCK = 2 * MIB;
/** Of a block of 2 MiB, its bitmap too. */
const BLOCK_SECTORS = 4097;
const TABLE = 1536;

/** Makes an image whose last block in the file lies at `sector`, as if terabytes had been written before it. */
async function withBlockAt(sector: number, size: number): Promise<string> {
  const path = `${folder.fresh('far')}.vhd`;
  {
    await using disk = await createImage(path, { type: 'dynamic', size });
    await disk.write(0, noise(1, BLOCK));
  }
  const bytes = await readFile(path);
  const at = bytes.readUInt32BE(TABLE) * SECTOR;
  const block = bytes.subarray(at, at + BLOCK_SECTORS * SECTOR);
  await using file = await open(path, 'r+');
  await file.write(new Uint8Array(block.byteLength), 0, block.byteLength, at);
  await file.write(block, 0, block.byteLength, sector * SECTOR);
  await file.write(bytes.subarray(-SECTOR), 0, SECTOR, sector * SECTOR + block.byteLength);
  const entry = Buffer.alloc(4);
  entry.writeUInt32BE(sector);
  await file.write(entry, 0, 4, TABLE);
  return path;
}

async function tableOf(path: string, entries: number): Promise<number[]> {
  await using file = await open(path, 'r');
  const bytes = new Uint8Array(entries * 4);
  await file.read(bytes, 0, bytes.byteLength, TABLE);
  return [...parseBat(bytes)];
}

/** Blocks at such places leave gaps, and begin on no page. */
const LEGAL = ['VHD_GAPS', 'VHD_ALIGNMENT'];

async function codesOf(path: string): Promise<string[]> {
  return (await checkImage(path)).map(({ code }) => code);
}

describe('blocks that lie beyond the first TiB of the file', () => {
  const size = 4 * BLOCK;
  const content = Buffer.concat([noise(1, BLOCK), noise(2, BLOCK), new Uint8Array(BLOCK), noise(3, BLOCK)]);
  const paths: string[] = [];
  beforeAll(async () => {
    for (const sector of [2 ** 31 - 2 * BLOCK_SECTORS, 2 ** 31 - BLOCK_SECTORS, 2 ** 31 - 1, 2 ** 31, 3 * 2 ** 30]) {
      const path = await withBlockAt(sector, size);
      await using disk = await openWritable(path);
      await disk.write(BLOCK, noise(2, BLOCK));
      await disk.write(3 * BLOCK, noise(3, BLOCK));
      paths.push(path);
    }
  });

  it('are unsigned sectors: written, read and nothing to find', async () => {
    for (const path of paths) {
      const [first, second, none, last] = (await tableOf(path, 4)) as [number, number, number, number];
      expect(none).toBe(UNALLOCATED);
      expect(second).toBeGreaterThanOrEqual(first + BLOCK_SECTORS);
      expect(last).toBeGreaterThanOrEqual(second + BLOCK_SECTORS);
      expect(last).toBeGreaterThan(2 ** 31 - 1);
      await using disk = await openDisk(path);
      const bytes = Buffer.alloc(size);
      await disk.read(0, bytes);
      expect(bytes.equals(content)).toBe(true);
      expect((await codesOf(path)).filter((code) => !LEGAL.includes(code))).toEqual([]);
    }
  });

  describeWithTool('qemu-img', 'are read by qemu-img', () => {
    it('as they were written', async () => {
      for (const path of paths) {
        const raw = `${folder.fresh('qemu')}.raw`;
        runTool('qemu-img', 'convert', '-f', 'vpc', '-O', 'raw', path, raw);
        expect((await readFile(raw)).equals(content)).toBe(true);
      }
    });
  });

  describeIf(hasLibvhdi(), 'python3-libvhdi is not installed', 'are read by libvhdi', () => {
    it('as they were written', () => {
      const answers = readByLibvhdi(paths.map((path) => ({ chain: [path], reads: [[0, size]] })));
      for (const { reads } of answers) expect(reads[0]!.equals(content)).toBe(true);
    });
  });
});

describe('the end of what 32 bits can tell', () => {
  it('is filled to its last sector, then refused, with the image as it was', async () => {
    const path = await withBlockAt(UNALLOCATED - 3 * BLOCK_SECTORS, 4 * BLOCK);
    {
      await using disk = await openWritable(path);
      await disk.write(BLOCK, noise(2, BLOCK));
      await disk.write(2 * BLOCK, noise(3, BLOCK));
      await expect(disk.write(3 * BLOCK, noise(4, BLOCK))).rejects.toMatchObject({ code: 'VHD_TOO_LARGE' });
      await disk.write(0, noise(5, SECTOR));
    }
    const table = await tableOf(path, 4);
    expect(table.slice(1)).toEqual([UNALLOCATED - 2 * BLOCK_SECTORS, UNALLOCATED - BLOCK_SECTORS, UNALLOCATED]);
    expect((await stat(path)).size).toBe((UNALLOCATED + 1) * SECTOR);
    expect((await codesOf(path)).filter((code) => !LEGAL.includes(code))).toEqual([]);
    await using disk = await openDisk(path);
    const bytes = Buffer.alloc(4 * BLOCK);
    await disk.read(0, bytes);
    const first = Buffer.concat([noise(5, SECTOR), noise(1, BLOCK).subarray(SECTOR)]);
    const content = Buffer.concat([first, noise(2, BLOCK), noise(3, BLOCK), new Uint8Array(BLOCK)]);
    expect(bytes.equals(content)).toBe(true);
  });

  it('reaches every block of 512 KiB of a disk of 2040 GiB, which are packed where pages would not fit', async () => {
    const blockSize = 512 * KIB;
    const entries = (2040 * GIB) / blockSize;
    const path = `${folder.fresh('packed')}.vhd`;
    await (await createImage(path, { type: 'dynamic', size: 2040 * GIB, blockSize }))[Symbol.asyncDispose]();
    const stride = blockSize / SECTOR + 1;
    const first = UNALLOCATED - entries * stride;
    {
      await using file = await open(path, 'r+');
      const footer = new Uint8Array(SECTOR);
      await file.read(footer, 0, SECTOR, 0);
      const table = Buffer.alloc((entries - 2) * 4);
      for (let i = 0; i < entries - 2; i++) table.writeUInt32BE(first + i * stride, i * 4);
      await file.write(table, 0, table.byteLength, TABLE);
      const end = (first + (entries - 2) * stride) * SECTOR;
      await file.truncate(end);
      await file.write(footer, 0, SECTOR, end);
    }
    {
      await using disk = await openWritable(path);
      for (const block of [entries - 1, entries - 2, 7]) await disk.write(block * blockSize, noise(block, 4096));
    }
    expect((await tableOf(path, entries)).slice(-2)).toEqual([
      first + (entries - 1) * stride,
      first + (entries - 2) * stride,
    ]);
    await using disk = await openDisk(path);
    for (const block of [entries - 1, entries - 2, 7]) {
      const bytes = Buffer.alloc(4096);
      await disk.read(block * blockSize, bytes);
      expect(bytes.equals(noise(block, 4096))).toBe(true);
    }
  });

  it('lets a new image of 2040 GiB and 512 KiB blocks be written from its end to its beginning', async () => {
    const path = `${folder.fresh('backwards')}.vhd`;
    const places = [2040 * GIB - 4096, 1024 * GIB, 0];
    {
      await using disk = await createImage(path, { type: 'dynamic', size: 2040 * GIB, blockSize: 512 * KIB });
      for (const [i, place] of places.entries()) await disk.write(place, noise(i, 4096));
    }
    expect(await codesOf(path)).toEqual(['VHD_ALIGNMENT']);
    await using disk = await openDisk(path);
    for (const [i, place] of places.entries()) {
      const bytes = Buffer.alloc(4096);
      await disk.read(place, bytes);
      expect(bytes.equals(noise(i, 4096))).toBe(true);
    }
  });
});
