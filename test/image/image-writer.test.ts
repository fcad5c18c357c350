import { open, stat } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createPlannedImage,
  type ImagePlan,
  openDisk,
  openImageWriter,
  type PlanOptions,
  parseFooter,
  planImage,
} from '../../src/image/vhd-parser.ts';
import { describeWithTool, runTool } from '../support/tool.ts';
import { imageFolder } from '../support/vhd-folder.ts';

const folder = imageFolder();
const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;
const random = { bytes: (length: number) => new Uint8Array(length).fill(7) };
let count = 0;

function plan(options: Pick<PlanOptions, 'format' | 'size'> & Partial<PlanOptions>): ImagePlan {
  return planImage({ now: Date.UTC(2024, 0, 1), random, ...options });
}

async function create(made: ImagePlan): Promise<string> {
  const path = folder.file(`image${count++}.${made.format === 'raw' ? 'raw' : 'vhd'}`);
  await createPlannedImage(path, made);
  return path;
}

async function readAll(path: string): Promise<Uint8Array> {
  await using disk = await openDisk(path);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

/** Virtual sizes at which geometries change, at both ends, and round ones. */
const SIZES = [
  ...[1, 2, 8, 17, 67, 68, 69, 128, 204, 2049, 69631, 69632, 507903, 507904].map((sectors) => sectors * 512),
  ...[1, 4, 10, 512].map((n) => n * MIB),
  ...[1, 8, 127, 2040].map((n) => n * GIB),
  1032190 * 512,
  65535 * 16 * 63 * 512 - 512,
  65535 * 16 * 63 * 512,
  65535 * 16 * 255 * 512 - 512,
  65535 * 16 * 255 * 512,
  65535 * 16 * 255 * 512 + 512,
  2040 * GIB - 512,
];

describe('a plan', () => {
  it('puts the data of all blocks on pages, in the order of the disk, the footer behind', () => {
    const made = plan({ format: 'vhd-dynamic', size: 100 * MIB, isAllocated: (block) => block % 3 === 1 });
    const entries = [...made.blocks!.bat];
    const stored = entries.filter((entry) => entry !== 0xffffffff);
    expect(
      entries.map((entry, block) => (entry === 0xffffffff ? -1 : block)).filter((b) => b >= 0 && b % 3 !== 1),
    ).toEqual([]);
    expect(stored.every((entry) => ((entry + 1) * 512) % 4096 === 0)).toBe(true);
    expect(stored).toEqual(stored.toSorted((a, b) => a - b));
    expect(made.fileSize).toBe((stored.at(-1)! + 1 + 4096 + 1) * 512);
  });

  it('of the greatest dynamic image fits the 32-bit table, with any block size from 512 KiB on', () => {
    for (const blockSize of [512 * KIB, 2 * MIB, 256 * MIB]) {
      const { bat } = plan({ format: 'vhd-dynamic', size: 2040 * GIB, blockSize }).blocks!;
      expect(bat.at(-1)).toBeGreaterThan(2 ** 31);
      expect(bat.at(-1)).toBeLessThan(0xffffffff);
    }
  });

  it('beyond the limits is refused', () => {
    const code = (options: Parameters<typeof plan>[0]): unknown => {
      try {
        plan(options);
        return 'none';
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code({ format: 'vhd-dynamic', size: 2040 * GIB + 512 })).toBe('VHD_TOO_LARGE');
    expect(code({ format: 'vhd-dynamic', size: 2040 * GIB, blockSize: 4096 })).toBe('VHD_TOO_LARGE');
    expect(code({ format: 'vhd-fixed', size: 32 * 1024 * GIB })).toBe('none');
    for (const size of [0, -512, 511, 513, Number.NaN]) expect(code({ format: 'raw', size })).toBe('DISK_SIZE');
    expect(code({ format: 'vhd-dynamic', size: 512, blockSize: 3 * MIB })).toBe('USAGE');
  });

  it('can be cloned to another thread, which shares its table', () => {
    const made = plan({ format: 'vhd-dynamic', size: 10 * MIB });
    const clone = structuredClone(made);
    expect(clone).toEqual(made);
    made.blocks!.bat[0] = 12345;
    expect(clone.blocks!.bat[0]).toBe(12345);
  });

  it('of a fixed disk has the unique id it was given and the data offset -1', () => {
    const uniqueId = new Uint8Array(16).map((_, i) => i);
    const footer = parseFooter(plan({ format: 'vhd-fixed', size: MIB, uniqueId }).footer!);
    expect(footer).toMatchObject({ type: 'fixed', uniqueId, dataOffset: null, currentSize: MIB, originalSize: MIB });
  });
});

describe('a written image', () => {
  it('reads as what was written, whatever the format, the block size and the ranges', async () => {
    const program = fc.record({
      format: fc.constantFrom('vhd-fixed' as const, 'vhd-dynamic' as const, 'raw' as const),
      sectors: fc.integer({ min: 1, max: 300 }),
      blockSize: fc.constantFrom(4096, 8192, 65536, 2 * MIB),
      writes: fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 30000 }), fc.integer({ min: 0, max: 255 }))),
    });
    await fc.assert(
      fc.asyncProperty(program, async ({ format, sectors, blockSize, writes }) => {
        const size = sectors * 512;
        const oracle = new Uint8Array(size);
        const ranges = writes.map(([at, length, value]) => {
          const start = at % size;
          oracle.fill(value, start, start + length);
          return { start, bytes: new Uint8Array(Math.min(length, size - start)).fill(value) };
        });
        const isAllocated = (block: number): boolean =>
          ranges.some(({ start, bytes }) => {
            const end = start + bytes.byteLength;
            return bytes[0] !== 0 && start < (block + 1) * blockSize && end > block * blockSize;
          });
        const made = plan({ format, size, blockSize, isAllocated });
        const path = await create(made);
        {
          await using writer = await openImageWriter(path, made);
          for (const { start, bytes } of ranges) await writer.write(start, bytes);
          await writer.sync();
        }
        expect(Buffer.compare(await readAll(path), oracle)).toBe(0);
        expect((await stat(path)).size).toBe(made.fileSize);
      }),
      { numRuns: 60 },
    );
  });

  it('is the same when many writers write it at once, in any order', async () => {
    const blockSize = 64 * KIB;
    const made = plan({ format: 'vhd-dynamic', size: 4 * MIB, blockSize, isAllocated: (block) => block % 2 === 0 });
    const path = await create(made);
    const blocks = Array.from({ length: 32 }, (_, i) => i * 2).sort((a, b) => ((a * 37) % 64) - ((b * 37) % 64));
    const lanes = Array.from({ length: 4 }, async (_, lane) => {
      await using writer = await openImageWriter(path, structuredClone(made));
      for (const block of blocks.filter((_b, i) => i % 4 === lane)) {
        await writer.write(block * blockSize, new Uint8Array(blockSize).fill(block + 1));
      }
    });
    await Promise.all(lanes);
    const bytes = await readAll(path);
    for (let block = 0; block < 64; block++) {
      const part = bytes.subarray(block * blockSize, (block + 1) * blockSize);
      expect(part.every((byte) => byte === (block % 2 === 0 ? block + 1 : 0))).toBe(true);
    }
  });

  it('takes zeros for blocks that are not stored, and nothing else', async () => {
    const made = plan({ format: 'vhd-dynamic', size: 4 * MIB, isAllocated: () => false });
    const path = await create(made);
    await using writer = await openImageWriter(path, made);
    await writer.write(0, new Uint8Array(4 * MIB));
    await expect(writer.write(3 * MIB, Uint8Array.of(1))).rejects.toMatchObject({ code: 'BUG' });
    await expect(writer.write(4 * MIB, Uint8Array.of(0))).rejects.toMatchObject({ code: 'DISK_RANGE' });
  });

  it('never takes the place of a file that is there', async () => {
    const made = plan({ format: 'raw', size: 512 });
    const path = await create(made);
    await expect(createPlannedImage(path, made)).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
    await expect(createPlannedImage(path, { ...made, format: 'block-device' })).rejects.toMatchObject({
      code: 'TARGET_UNUSABLE',
    });
  });

  it('has the exact size, opens at once and is one extent of zeros, from a sector to 2040 GiB', async () => {
    for (const size of SIZES) {
      const path = await create(plan({ format: 'vhd-dynamic', size, isAllocated: () => false }));
      await using disk = await openDisk(path);
      expect(disk.findings).toEqual([]);
      expect(await Array.fromAsync(disk.extents())).toEqual([{ offset: 0, length: size, kind: 'zero' }]);
    }
  });
});

describeWithTool('qemu-img', 'qemu-img', () => {
  it.each(['vhd-dynamic', 'vhd-fixed'] as const)('takes the exact size of every %s image', async (format) => {
    for (const size of SIZES) {
      const path = await create(plan({ format, size, isAllocated: () => false }));
      const info = JSON.parse(runTool('qemu-img', 'info', '-f', 'vpc', '--output=json', path)) as Record<
        string,
        unknown
      >;
      expect(info['virtual-size'], path).toBe(size);
    }
  });

  it('reads what was written, and we read what it writes', async () => {
    const size = 9 * MIB + 512;
    const bytes = new Uint8Array(3 * MIB).map((_, i) => (i * 131 + (i >>> 9)) & 0xff);
    const raw = plan({ format: 'raw', size });
    const dynamic = plan({ format: 'vhd-dynamic', size, isAllocated: (block) => block === 1 || block === 2 });
    const paths: string[] = [];
    for (const made of [raw, dynamic]) {
      const path = await create(made);
      await using writer = await openImageWriter(path, made);
      await writer.write(2 * MIB + 1000, bytes);
      paths.push(path);
    }
    const [rawPath, dynamicPath] = paths as [string, string];
    runTool('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', rawPath, dynamicPath);
    for (const subformat of ['dynamic', 'fixed']) {
      const path = folder.file(`qemu-${subformat}.vhd`);
      const options = `subformat=${subformat},force_size=on`;
      runTool('qemu-img', 'convert', '-f', 'raw', '-O', 'vpc', '-o', options, rawPath, path);
      expect(Buffer.compare(await readAll(path), await readAll(rawPath))).toBe(0);
    }
  });
});

describeWithTool('vhdiinfo', 'libvhdi', () => {
  it('takes the exact size and kind of every image', async () => {
    for (const format of ['vhd-dynamic', 'vhd-fixed'] as const) {
      for (const size of SIZES.filter((_, i) => i % 3 === 0)) {
        const text = runTool('vhdiinfo', await create(plan({ format, size, isAllocated: () => false })));
        expect(text).toMatch(new RegExp(`Media size.*\\b${size} bytes`));
        expect(text).toContain(format === 'vhd-fixed' ? 'Fixed' : 'Dynamic');
        expect(text).toContain('07070707-0707-4707-8707-070707070707');
      }
    }
  });
});

describe('the bitmaps of a written image', () => {
  it('have the bits of all sectors set, for readers that take a clear bit for zeros', async () => {
    const made = plan({ format: 'vhd-dynamic', size: MIB, blockSize: 512 * KIB });
    await using file = await open(await create(made), 'r');
    for (const entry of made.blocks!.bat) {
      const bitmap = new Uint8Array(512);
      await file.read(bitmap, 0, 512, entry * 512);
      expect([...bitmap]).toEqual([...new Uint8Array(512).fill(0xff, 0, 128)]);
    }
  });
});
