import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeExt4 } from '../../fixtures/make-disk.ts';
import { copyRealFiles } from '../../fixtures/real-files.ts';
import { convertImage, systemRandom } from '../../src/index.ts';

const MIB = 1024 * 1024;

/** Where real files are taken from, and how many bytes of each kind; in the order of their names, so the same on one machine. */
const SOURCES = [
  { from: '/usr/bin', to: 'usr/bin', share: 0.35 },
  { from: '/usr/lib', to: 'usr/lib', share: 0.35 },
  { from: '/usr/share', to: 'usr/share', share: 0.3 },
];

export interface BenchDisk {
  name: string;
  path: string;
}

/** Disk S: 4 GiB with an ext4 and real files, as a dynamic VHD and as a fixed one (sparse). */
export async function makeDiskS(
  folder: string,
  { files, size }: { files: number; size: number },
): Promise<{ disks: BenchDisk[]; files: number }> {
  const root = join(folder, 'files');
  let copied = 0;
  for (const { from, to, share } of SOURCES) {
    await mkdir(join(root, to), { recursive: true });
    copied += (await copyRealFiles(from, join(root, to), { bytes: files * share })).bytes;
  }
  const raw = join(folder, 's.raw');
  await makeExt4(raw, size, root);
  await rm(root, { recursive: true });
  const disks: BenchDisk[] = [];
  for (const format of ['dynamic', 'fixed'] as const) {
    const path = join(folder, `s-${format}.vhd`);
    await convertImage(raw, path, { format, sourceFormat: 'raw', random: systemRandom, now: 0 });
    disks.push({ name: `${size / MIB / 1024} GiB ${format} VHD`, path });
  }
  await rm(raw);
  return { disks, files: copied };
}
