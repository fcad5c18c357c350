import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import {
  encodeDynamicHeader,
  encodeFooter,
  openDisk,
  parseDynamicHeader,
  parseFooter,
} from '../../src/image/vhd-parser.ts';
import { describeIf } from '../support/tool.ts';
import { imageFolder } from '../support/vhd-folder.ts';

/** Images made by other programs, which this project may not pass on: whoever has them says where. */
const images = process.env.VHDVAULT_TEST_IMAGES ?? '';
const folder = imageFolder();

const CONTENT: [name: string, format: string, size: number, sha256: string][] = [
  [
    'dfvfs-ntfs/ntfs-fixed.vhd',
    'vhd-fixed',
    4194304,
    'cd81fade3878f1b2957f1ece168201876bdf4e90c9b30f60c2f232eba5fea76c',
  ],
  [
    'dfvfs-ntfs/ntfs-dynamic.vhd',
    'vhd-dynamic',
    4194304,
    '8b10b52e3d1e76075d05a5101a6536b9fa8376a5b8f7c22f502d0987d165c876',
  ],
  [
    'dfvfs-ntfs/ntfs-parent.vhd',
    'vhd-fixed',
    4194304,
    'c91d1766dd4b3327f33a082cbf958d3566dd84a3d71c2473a5ae6155e53171de',
  ],
  [
    'dfvfs-ntfs/ntfs-differential.vhd',
    'vhd-differencing',
    4194304,
    'b7922a46a6b08fa4f4fc0c51a25d5587d1d49f15cfade45ca740dd07110ae144',
  ],
  ['dfvfs-ext2.vhd', 'vhd-dynamic', 4212736, '870be7ae16c1fa8faab05c6eb9205dc9a7ae35c5f552c5cf8a267c0bc6a5cb99'],
];

const REFUSED: [name: string, code: string][] = [
  ['dfvfs-image.vhd', 'VHD_FOOTER_CHECKSUM'],
  ['dfvfs-image-differential.vhd', 'VHD_FOOTER_CHECKSUM'],
  ['qemu-afl5.vhd', 'VHD_TRUNCATED'],
  ['qemu-iotest-dynamic-1G.vhdx.bz2', 'DISK_FORMAT_UNSUPPORTED'],
  ['node-vhd-fixed.vhd.gz', 'DISK_FORMAT_UNSUPPORTED'],
];

async function hashOf(path: string): Promise<{ format: string; size: number; sha256: string }> {
  await using disk = await openDisk(path);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return { format: disk.format, size: disk.size, sha256: createHash('sha256').update(bytes).digest('hex') };
}

describeIf(existsSync(join(images, 'MANIFEST.md')), 'VHDVAULT_TEST_IMAGES is not set', 'images of other makers', () => {
  it.each(CONTENT)('%s reads as other readers agree that it does', async (name, format, size, sha256) => {
    expect(await hashOf(join(images, name))).toEqual({ format, size, sha256 });
  });

  it.each(REFUSED)('%s is refused as %s', async (name, code) => {
    await expect(openDisk(join(images, name))).rejects.toMatchObject({ code });
  });

  it('a fixed disk of Windows 10 reads as another reader says', async () => {
    const path = folder.file('node-vhd-fixed.vhd');
    await writeFile(path, gunzipSync(readFileSync(join(images, 'node-vhd-fixed.vhd.gz'))));
    const sha256 = 'fa0490edf13cf9699ac7ead2b2024f2ec7921f583ff824039bca0529055e409d';
    expect(await hashOf(path)).toEqual({ format: 'vhd-fixed', size: 10485760, sha256 });
  });

  it('an empty disk of Hyper-V is one extent of zeros', async () => {
    await using disk = await openDisk(join(images, 'qemu-hyperv2012r2-dynamic.vhd'));
    expect(await Array.fromAsync(disk.extents())).toEqual([{ offset: 0, length: 136365211648, kind: 'zero' }]);
  });

  it('footers and headers of other makers are encoded to the bytes that they were parsed from', () => {
    const footers: [name: string, offset: number][] = [
      ['node-vhd-footer.bin', 0],
      ['node-vhd-header.bin', 0],
      ['libvhdi-file_footer.bin', 0],
      ['dfvfs-ntfs/ntfs-differential.vhd', 0],
      ['dfvfs-ext2.vhd', 0],
    ];
    for (const [name, offset] of footers) {
      const bytes = readFileSync(join(images, name)).subarray(offset, offset + 512);
      expect(toHex(encodeFooter(parseFooter(bytes))), name).toBe(toHex(bytes));
    }
    const headers: [name: string, offset: number][] = [
      ['node-vhd-header.bin', 512],
      ['libvhdi-dynamic_disk_header.bin', 0],
      ['dfvfs-ntfs/ntfs-differential.vhd', 512],
    ];
    for (const [name, offset] of headers) {
      const bytes = readFileSync(join(images, name)).subarray(offset, offset + 1024);
      expect(toHex(encodeDynamicHeader(parseDynamicHeader(bytes))), name).toBe(toHex(bytes));
    }
  });
});
