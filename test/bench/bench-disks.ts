import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { convertImage, systemRandom } from '../../src/index.ts';
import { makeSparseVhd } from '../support/sparse-vhd.ts';
import { bringUpTo } from './bring-up-to.ts';
import { type MachineDisk, makeMachineDisk, type Sources } from './machine-disk.ts';

const MB = 1e6;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Where real files are taken from; in the order of their names, so the same on one machine. */
const SOME: Sources = [
  { from: '/usr/bin', to: 'usr/bin', share: 0.35 },
  { from: '/usr/lib', to: 'usr/lib', share: 0.35 },
  { from: '/usr/share', to: 'usr/share', share: 0.3 },
];
const ALL: Sources = [
  { from: '/usr/bin', to: 'usr/bin', share: 0.1 },
  { from: '/usr/share', to: 'usr/share', share: 0.15 },
  { from: '/usr/local', to: 'usr/local', share: 0.15 },
  { from: '/usr/lib', to: 'usr/lib', share: 0.6 },
];

const SIZES = {
  whole: {
    small: { size: 4 * GIB, files: 450 * MB, database: 44 * MB, sources: SOME },
    large: { size: 8 * GIB, files: 4000 * MB, database: 44 * MB, sources: ALL },
    vast: { size: 2040 * GIB, data: 5 * GIB },
  },
  quick: {
    // Smaller file systems have smaller blocks than the pages of the database.
    small: { size: 512 * MIB, files: 40 * MB, database: 4 * MB, sources: SOME },
    large: { size: 768 * MIB, files: 120 * MB, database: 4 * MB, sources: ALL },
    vast: { size: 64 * GIB, data: 64 * MIB },
  },
};

/** An image to back up. */
export interface BenchDisk {
  name: string;
  title: string;
  path: string;
  /** The same image after scattered changes; none where that is not measured. */
  changed?: string;
  /** Whether it is also restored as, and converted to, another kind of image. */
  isConverted: boolean;
}

/** A sparse dynamic VHD with noise all over it. */
export interface VastDisk {
  path: string;
  size: number;
  data: number;
}

/** How much of the size and of the data of the whole vast disk. */
export interface VastParts {
  size: number;
  data: number;
}

/** Disks are made when they are first asked for. */
export interface BenchDisks {
  /** S as a dynamic VHD and as a fixed one, L as a dynamic one. */
  machine(name: DiskName): Promise<BenchDisk>;
  /** The machine of S, to be changed further, and a copy of its changed image. */
  goingOn(): Promise<{ machine: MachineDisk; path: string }>;
  /** A new one every time. */
  vast(parts: VastParts): Promise<VastDisk>;
  vastSizes(parts: VastParts): { size: number; data: number };
}

export const DISK_NAMES = ['dynamic', 'fixed', 'large'] as const;
export type DiskName = (typeof DISK_NAMES)[number];

export function benchDisks(folder: string, { quick }: { quick: boolean }): BenchDisks {
  const sizes = SIZES[quick ? 'quick' : 'whole'];
  const vastSizes = (parts: VastParts): { size: number; data: number } => ({
    size: sizes.vast.size * parts.size,
    data: sizes.vast.data * parts.data,
  });
  const small = once(() => makeSmall(join(folder, 's'), sizes.small));
  const large = once(() => makeLarge(join(folder, 'l'), sizes.large));
  return {
    machine: async (name) => (name === 'large' ? await large() : (await small())[name]),
    goingOn: async () => {
      const { machine, dynamic } = await small();
      const path = join(folder, 's', 'going-on.vhd');
      await copyFile(dynamic.changed as string, path);
      return { machine, path };
    },
    vast: async (parts) => {
      const { size, data } = vastSizes(parts);
      const path = join(folder, 'vast.vhd');
      await makeSparseVhd(path, { size, data });
      return { path, size, data };
    },
    vastSizes,
  };
}

type SmallSizes = (typeof SIZES)['whole']['small'];

async function makeSmall(
  folder: string,
  sizes: SmallSizes,
): Promise<{ machine: MachineDisk; dynamic: BenchDisk; fixed: BenchDisk }> {
  await mkdir(folder);
  const machine = await makeMachineDisk(folder, sizes);
  const title = `S: ${gib(sizes.size)} with ${megabytes(machine)}`;
  const path = await imageOf(machine, join(folder, 's-fixed.vhd'), 'fixed');
  const fixed = { name: 'S fixed', title: `${title}, fixed VHD`, path, isConverted: false };
  return { machine, fixed, dynamic: await dynamicOf(machine, { folder, name: 'S dynamic', title }) };
}

async function makeLarge(folder: string, sizes: SmallSizes): Promise<BenchDisk> {
  await mkdir(folder);
  const machine = await makeMachineDisk(folder, sizes);
  const title = `L: ${gib(sizes.size)} with ${megabytes(machine)}`;
  const disk = { ...(await dynamicOf(machine, { folder, name: 'L dynamic', title })), isConverted: false };
  await rm(machine.raw);
  return disk;
}

/** The image as it is now, and as it is after one change; the machine has gone on, then. */
async function dynamicOf(
  machine: MachineDisk,
  { folder, name, title }: { folder: string; name: string; title: string },
): Promise<BenchDisk> {
  const path = await imageOf(machine, join(folder, 'dynamic.vhd'), 'dynamic');
  const changed = join(folder, 'dynamic-changed.vhd');
  await copyFile(path, changed);
  await machine.change(1);
  await bringUpTo(changed, machine.raw);
  return { name, title: `${title}, dynamic VHD`, path, changed, isConverted: true };
}

async function imageOf({ raw }: MachineDisk, path: string, format: 'dynamic' | 'fixed'): Promise<string> {
  await convertImage(raw, path, { format, sourceFormat: 'raw', random: systemRandom, now: 0 });
  return path;
}

function gib(bytes: number): string {
  return `${bytes / GIB} GiB`;
}

function megabytes({ bytes: { real, filler, made } }: MachineDisk): string {
  const text = (bytes: number): string => `${Math.round(bytes / MB)} MB`;
  const fill = filler > 0 ? `, ${text(filler)} of made ones` : '';
  return `${text(real)} of real files${fill} and ${text(made)} of a database, a log and noise`;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
