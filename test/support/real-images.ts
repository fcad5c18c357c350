import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type OpenDiskOptions, openDisk } from '../../src/image/vhd-parser.ts';
import { describeIf, describeWhere } from './tool.ts';

/** Images made by other programs, which this project may not pass on: whoever has them says where. */
const folder = process.env.VHDVAULT_TEST_IMAGES ?? '';

export function realImage(name: string): string {
  return join(folder, name);
}

/** Tests that need these images: where nobody says that there are any they are skipped, and say so. */
export function describeRealImages(title: string, tests: () => void): void {
  if (folder === '') describeWhere(false, 'VHDVAULT_TEST_IMAGES is not set', title, tests);
  else describeIf(existsSync(realImage('MANIFEST.md')), `${folder} has no MANIFEST.md`, title, tests);
}

export interface RealImage {
  name: string;
  format: string;
  /** Bytes of the disk. */
  size: number;
  /** Of the whole disk, as two other readers agree on it. */
  sha256: string;
}

export const REAL_IMAGES: readonly RealImage[] = [
  {
    name: 'dfvfs-ntfs/ntfs-fixed.vhd',
    format: 'vhd-fixed',
    size: 4194304,
    sha256: 'cd81fade3878f1b2957f1ece168201876bdf4e90c9b30f60c2f232eba5fea76c',
  },
  {
    name: 'dfvfs-ntfs/ntfs-dynamic.vhd',
    format: 'vhd-dynamic',
    size: 4194304,
    sha256: '8b10b52e3d1e76075d05a5101a6536b9fa8376a5b8f7c22f502d0987d165c876',
  },
  {
    name: 'dfvfs-ntfs/ntfs-parent.vhd',
    format: 'vhd-fixed',
    size: 4194304,
    sha256: 'c91d1766dd4b3327f33a082cbf958d3566dd84a3d71c2473a5ae6155e53171de',
  },
  {
    name: 'dfvfs-ntfs/ntfs-differential.vhd',
    format: 'vhd-differencing',
    size: 4194304,
    sha256: 'b7922a46a6b08fa4f4fc0c51a25d5587d1d49f15cfade45ca740dd07110ae144',
  },
  {
    name: 'dfvfs-ext2.vhd',
    format: 'vhd-dynamic',
    size: 4212736,
    sha256: '870be7ae16c1fa8faab05c6eb9205dc9a7ae35c5f552c5cf8a267c0bc6a5cb99',
  },
];

/** Is passed on as `node-vhd-fixed.vhd.gz`; by Windows 10, and only one other reader was asked. */
export const PACKED_IMAGE: RealImage = {
  name: 'node-vhd-fixed.vhd',
  format: 'vhd-fixed',
  size: 10485760,
  sha256: 'fa0490edf13cf9699ac7ead2b2024f2ec7921f583ff824039bca0529055e409d',
};

/** By Hyper-V 2012 R2; nothing but zeros. */
export const EMPTY_IMAGE: { name: string; size: number } = {
  name: 'qemu-hyperv2012r2-dynamic.vhd',
  size: 136365211648,
};

/** What must be refused, and how. */
export const REFUSED_IMAGES: readonly (readonly [name: string, code: string])[] = [
  ['dfvfs-image.vhd', 'VHD_FOOTER_CHECKSUM'],
  ['dfvfs-image-differential.vhd', 'VHD_FOOTER_CHECKSUM'],
  ['qemu-afl5.vhd', 'VHD_TRUNCATED'],
  ['qemu-iotest-dynamic-1G.vhdx.bz2', 'DISK_FORMAT_UNSUPPORTED'],
  ['node-vhd-fixed.vhd.gz', 'DISK_FORMAT_UNSUPPORTED'],
  ['node-vhd-footer.bin', 'VHD_TRUNCATED'],
  ['node-vhd-header.bin', 'DISK_FORMAT_UNKNOWN'],
  ['libvhdi-file_footer.bin', 'VHD_TRUNCATED'],
  ['libvhdi-dynamic_disk_header.bin', 'DISK_FORMAT_UNSUPPORTED'],
];

/** An image as it is read, in the words of the tables above. */
export async function readImage(
  path: string,
  options: OpenDiskOptions = {},
): Promise<Pick<RealImage, 'format' | 'size' | 'sha256'>> {
  await using disk = await openDisk(path, options);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return { format: disk.format, size: disk.size, sha256: createHash('sha256').update(bytes).digest('hex') };
}
