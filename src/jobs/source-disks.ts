import { stat, statfs } from 'node:fs/promises';
import { checkUnchanged } from '../backup/scan.ts';
import type { Clock } from '../base/clock.ts';
import type { DiskAddress } from '../disk/address.ts';
import type { Disk, Generation } from '../disk/disk.ts';
import type { ImageDisk } from '../image/open-disk.ts';
import { isReadOnlyDevice } from '../io/block-device.ts';
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
/** FAT counts in 2 s; clients of SMB and NFS keep times for a while before they ask the server. */
const RECENT_COARSE = 2000;
/** FAT, exFAT, SMB (three drivers), NFS, as statfs(2) tells them. */
const COARSE_FILE_SYSTEMS = [0x4d44, 0x2011bab0, 0x517b, 0xff534d42, 0xfe534d42, 0x6969];

/** Opens all disks before anything is written; if one fails, the others are closed. */
export async function openSources(
  disks: readonly NamedDisk[],
  clock: Clock,
  signal?: AbortSignal,
): Promise<SourceDisk[]> {
  const opened: SourceDisk[] = [];
  try {
    for (const { name, address } of disks) {
      const disk = await openSettled({ name, address }, clock, signal);
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
  // They were only read: what goes wrong here must not spoil a point that is made, nor hide why it was not.
  for (const { disk } of disks) await Promise.resolve(disk[Symbol.asyncDispose]()).catch(() => undefined);
}

/**
 * Opens a disk; if a file of its chain changed just now, waits once until the next change will show, and opens it again,
 * since what was read of it may be of before. What changes after the wait is SOURCE_CHANGED.
 */
async function openSettled({ name, address }: NamedDisk, clock: Clock, signal?: AbortSignal): Promise<Disk> {
  const began = clock.now();
  let disk = await openAddress(address);
  try {
    const wait = await settlingTime(await disk.generation(), began, clock.now());
    if (wait === 0) return disk;
    await clock.sleep(wait, signal);
    const generation = await disk.generation();
    await disk[Symbol.asyncDispose]();
    disk = await openAddress(address);
    await checkUnchanged(disk, { name, generation });
    return disk;
  } catch (error) {
    await disk[Symbol.asyncDispose]();
    throw error;
  }
}

/** Milliseconds to wait before the files may be relied on to show their next change; 0 when none changed since just before `began`. */
async function settlingTime(files: readonly Generation[], began: number, now: number): Promise<number> {
  let wait = 0;
  for (const { path } of files) {
    const found = await stat(path).catch(() => undefined);
    if (!found?.isFile()) continue;
    const recent = recentOn((await statfs(path).catch(() => undefined))?.type);
    // A program may put the time of its change back, as `rsync --inplace -t` does: the time of the inode tells it.
    const isRecent = [found.mtimeMs, found.ctimeMs].some((time) => time > began - recent && time < now + recent);
    if (isRecent) wait = Math.max(wait, recent);
  }
  return wait;
}

/** How long ago a change must be, by the type of the file system. */
export function recentOn(fileSystem: number | undefined): number {
  return fileSystem !== undefined && COARSE_FILE_SYSTEMS.includes(fileSystem) ? RECENT_COARSE : RECENT;
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
  if (disk.format === 'block-device' && !(await isReadOnlyDevice((await stat(address.path)).rdev))) {
    warnings.push(
      `${name} is a writable block device, which does not tell whether it changed while it was read: back up a read-only snapshot`,
    );
  }
  return warnings;
}

function noticesOf(name: string, disk: Disk): string[] {
  return disk.findings.filter(({ severity }) => severity === 'info').map(({ what }) => `${name}: ${what}`);
}
