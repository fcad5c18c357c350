import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Disk, Generation } from '../disk/disk.ts';
import type { ImageDisk } from '../image/open-disk.ts';
import { openAddress } from './open-address.ts';
import type { NamedDisk } from './types.ts';

/** A disk of the item, open, with its generation noted. */
export interface SourceDisk extends NamedDisk {
  disk: Disk;
  generation: readonly Generation[];
  /** Of the image, for the manifest. */
  image: { blockSize: number | null; uniqueId: string | null; creator: string | null };
  warnings: string[];
  notices: string[];
}

/** A file written so recently may be written again within one tick of its time stamp (S1). */
const RECENT = 20;

/** Opens all disks before anything is written; if one fails, the others are closed. */
export async function openSources(
  disks: readonly NamedDisk[],
  clock: Clock,
  signal?: AbortSignal,
): Promise<SourceDisk[]> {
  const opened: SourceDisk[] = [];
  try {
    for (const { name, address } of disks) {
      await settle(address.path, clock, signal);
      const disk = await openAddress(address);
      const source: SourceDisk = {
        name,
        address,
        disk,
        generation: [],
        image: imageOf(disk),
        warnings: [],
        notices: noticesOf(name, disk),
      };
      opened.push(source);
      source.generation = await disk.generation();
      source.warnings = await warningsOf(name, address, disk);
    }
    return opened;
  } catch (error) {
    await closeSources(opened);
    throw error;
  }
}

export async function closeSources(disks: readonly SourceDisk[]): Promise<void> {
  for (const { disk } of disks) await disk[Symbol.asyncDispose]();
}

/** Waits, once, until the last change is old enough for the next one to show. */
async function settle(path: string, clock: Clock, signal: AbortSignal | undefined): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() && Math.abs(clock.now() - found.mtimeMs) < RECENT) await clock.sleep(RECENT, signal);
}

function imageOf(disk: Disk): SourceDisk['image'] {
  const facts = (disk as Partial<ImageDisk>).facts;
  return {
    blockSize: facts?.blockSize ?? null,
    uniqueId: facts?.uniqueId?.replaceAll('-', '') ?? null,
    creator: facts?.creatorApplication ?? null,
  };
}

async function warningsOf(name: string, address: DiskAddress, disk: Disk): Promise<string[]> {
  const warnings = disk.findings
    .filter(({ severity }) => severity !== 'info')
    .map(({ what, cure }) => `${name}: ${what}${cure && `; ${cure}`}`);
  if (disk.format === 'block-device' && !(await isReadOnlyDevice(address.path))) {
    warnings.push(
      `${name} is a writable block device, which does not tell whether it changed while it was read: back up a read-only snapshot`,
    );
  }
  return warnings;
}

/** A device that the kernel lets nobody write, as `lvcreate --snapshot --permission r` makes it. */
async function isReadOnlyDevice(path: string): Promise<boolean> {
  const { rdev } = await stat(path);
  const major = (rdev >> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
  const flag = await readFile(`/sys/dev/block/${major}:${minor}/ro`, 'utf8').catch(() => '0');
  return flag.trim() === '1';
}

function noticesOf(name: string, disk: Disk): string[] {
  return disk.findings.filter(({ severity }) => severity === 'info').map(({ what }) => `${name}: ${what}`);
}
