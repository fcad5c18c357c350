import prettyBytes from 'pretty-bytes';
import { VhdvaultError } from '../base/errors.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import type { ManifestDisk, PointType } from '../point/manifest.ts';

export interface BackupPlan {
  type: PointType;
  base: CatalogPoint | undefined;
  /** Per disk to back up: what it was in the base, if it was there. */
  bases: (ManifestDisk | undefined)[];
  /** Names that disks had in the latest point and that no disk has now. */
  gone: string[];
  /** Why this type and this base. */
  reason: string;
  /** Disks that are missing, new or renamed: who reads the point later must know. */
  warnings: string[];
  notices: string[];
}

/** What planning needs to know of a disk to back up. */
export interface PlannedDisk {
  name: string;
  size: number;
  /** Where it lies, and the unique id of its image: these tell a renamed disk. */
  path: string;
  uniqueId: string | null;
}

/** Decides type and base from what the item has. */
export function planBackup(options: {
  type: 'auto' | PointType;
  /** Of the item, oldest first. */
  points: readonly CatalogPoint[];
  disks: readonly PlannedDisk[];
}): BackupPlan {
  const { type, points, disks } = options;
  const { base, ...chosen } = chooseBase(type, points);
  const latest = points.at(-1);
  return {
    ...{ ...chosen, base },
    bases: disks.map((disk) => base && sameDisk(base, disk, disks)),
    gone: (latest?.manifest.disks ?? [])
      .map(({ name }) => name)
      .filter((name) => !disks.some((disk) => disk.name === name)),
    warnings: latest ? nameWarnings(latest, disks) : [],
    notices: latest ? sizeNotices(latest, disks) : [],
  };
}

function chooseBase(
  type: 'auto' | PointType,
  points: readonly CatalogPoint[],
): Pick<BackupPlan, 'type' | 'base' | 'reason'> {
  const latest = points.at(-1);
  if (!latest) {
    const reason =
      type === 'auto' || type === 'full' ? 'the first point of this item' : 'no point to build on: a full one';
    return { type: 'full', base: undefined, reason };
  }
  if (type === 'full') return { type, base: undefined, reason: 'a full point was asked for' };
  if (type !== 'differential') return { type: 'incremental', base: latest, reason: 'compared with the latest point' };
  const full = points.findLast(({ manifest }) => manifest.type === 'full');
  return full
    ? { type, base: full, reason: 'compared with the last full point' }
    : { type: 'full', base: undefined, reason: 'no full point to build on: a full one' };
}

/** A disk of the point that this one is: of the same name, or else one whose name is gone and whose image or place is the same. */
function sameDisk(
  { manifest }: CatalogPoint,
  disk: PlannedDisk,
  all: readonly PlannedDisk[],
): ManifestDisk | undefined {
  const gone = manifest.disks.filter(({ name }) => !all.some((other) => other.name === name));
  return (
    manifest.disks.find(({ name }) => name === disk.name) ??
    gone.find(({ source }) => source.uniqueId !== null && source.uniqueId === disk.uniqueId) ??
    gone.find(({ source }) => source.address === disk.path)
  );
}

function nameWarnings(latest: CatalogPoint, disks: readonly PlannedDisk[]): string[] {
  const before = latest.manifest.disks.map(({ name }) => name);
  const found = disks.map((disk) => ({ name: disk.name, was: sameDisk(latest, disk, disks)?.name }));
  const missing = before.filter((name) => !found.some(({ was }) => was === name));
  const added = found.filter(({ was }) => was === undefined).map(({ name }) => name);
  const warnings = found
    .filter(({ name, was }) => was !== undefined && was !== name)
    .map(({ name, was }) => `${name} was named ${was} in the latest point: it is compared with that`);
  for (const disk of disks) {
    const other = found.some(({ name, was }) => name === disk.name && was === name) && swappedWith(latest, disk);
    if (other) warnings.push(`${disk.name} lies now where ${other} of the latest point lay: were their names swapped?`);
  }
  if (missing.length > 0)
    warnings.push(`${missing.join(', ')} of the latest point ${missing.length > 1 ? 'are' : 'is'} not in this one`);
  if (added.length > 0) warnings.push(`${added.join(', ')} ${added.length > 1 ? 'are' : 'is'} new in this item`);
  return warnings;
}

/** The disk of another name that this one looks like, while it does not look like the one of its own name. */
function swappedWith({ manifest }: CatalogPoint, { name, path, uniqueId }: PlannedDisk): string | undefined {
  const looksLike = ({ source }: ManifestDisk): boolean =>
    source.address === path || (source.uniqueId !== null && source.uniqueId === uniqueId);
  const alike = manifest.disks.filter(looksLike);
  return alike.some((disk) => disk.name === name) ? undefined : alike[0]?.name;
}

function sizeNotices(latest: CatalogPoint, disks: readonly PlannedDisk[]): string[] {
  return disks.flatMap((disk) => {
    const before = sameDisk(latest, disk, disks)?.size ?? disk.size;
    if (before === disk.size) return [];
    const by = prettyBytes(Math.abs(disk.size - before), { binary: true });
    return [
      `${disk.name} ${disk.size > before ? 'grew' : 'shrank'} by ${by} to ${prettyBytes(disk.size, { binary: true })}`,
    ];
  });
}

/** The block map has room for 2^32 blocks. @throws DISK_SIZE */
export function checkDiskSize(name: string, size: number, blockSize: number): void {
  if (size <= blockSize * 2 ** 32) return;
  throw new VhdvaultError('DISK_SIZE', `${name} has ${size} bytes, more than 2^32 blocks of ${blockSize}`, {
    hint: 'use a vault with larger blocks: vhdvault init --block-size 1MiB',
    details: { size, blockSize },
  });
}

/** Live recovery points that an item may have, as in the service that this follows. */
export const MOST_POINTS = 9999;
const NEARLY_FULL = 9000;

/** `points`: those that are there; `more` are to come. @throws ITEM_FULL */
export function checkPointCount(item: string, points: number, more = 1): void {
  if (points + more <= MOST_POINTS) return;
  const room =
    more === 1 ? `, as many as an item may have` : ` and may have ${MOST_POINTS}: there is no room for ${more} more`;
  throw new VhdvaultError('ITEM_FULL', `${item} has ${points} recovery points${room}`, {
    hint: `forget some: ${forgetExample(item)}`,
    details: { item, points },
  });
}

/** `points`: with the one that is being made. */
export function fullnessWarning(item: string, points: number): string[] {
  if (points < NEARLY_FULL) return [];
  return [
    `with this one, ${item} has ${points} of at most ${MOST_POINTS} recovery points: forget some soon (${forgetExample(item)})`,
  ];
}

function forgetExample(item: string): string {
  return `\`vhdvault forget ${item} --keep-daily 30 --keep-monthly 12 --dry-run\` shows which would go`;
}

/** Every name once. @throws DISK_NAME, USAGE */
export function checkDiskNames(names: readonly string[], bootDisk: string | undefined): void {
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) {
    throw new VhdvaultError('DISK_NAME', `two disks are named ${twice}`, {
      hint: 'give each a name of its own: NAME=PATH',
      details: { name: twice },
    });
  }
  if (bootDisk === undefined || names.includes(bootDisk)) return;
  throw new VhdvaultError('USAGE', `there is no disk ${bootDisk} to boot from`, {
    hint: `the disks are ${names.join(', ')}`,
  });
}
