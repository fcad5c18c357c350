import { VhdvaultError } from '../base/errors.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import type { PointType } from '../point/manifest.ts';

export interface BackupPlan {
  type: PointType;
  base: CatalogPoint | undefined;
  /** Why this type and this base. */
  reason: string;
  warnings: string[];
}

/** Decides type and base from what the item has. */
export function planBackup(options: {
  type: 'auto' | 'full' | 'incremental';
  latest: CatalogPoint | undefined;
  /** Names of the disks to back up. */
  disks: readonly string[];
}): BackupPlan {
  const { type, latest, disks } = options;
  if (!latest) {
    const reason = type === 'incremental' ? 'no point to build on: a full one' : 'the first point of this item';
    return { type: 'full', base: undefined, reason, warnings: [] };
  }
  const warnings = diskWarnings(latest, disks);
  if (type === 'full') return { type: 'full', base: undefined, reason: 'a full point was asked for', warnings };
  return { type: 'incremental', base: latest, reason: 'compared with the latest point', warnings };
}

function diskWarnings(latest: CatalogPoint, disks: readonly string[]): string[] {
  const before = latest.manifest.disks.map(({ name }) => name);
  const missing = before.filter((name) => !disks.includes(name));
  const added = disks.filter((name) => !before.includes(name));
  const warnings: string[] = [];
  if (missing.length > 0)
    warnings.push(`${missing.join(', ')} of the latest point ${missing.length > 1 ? 'are' : 'is'} not in this one`);
  if (added.length > 0) warnings.push(`${added.join(', ')} ${added.length > 1 ? 'are' : 'is'} new in this item`);
  return warnings;
}

/** The block map has room for 2^32 blocks. @throws DISK_SIZE */
export function checkDiskSize(name: string, size: number, blockSize: number): void {
  if (size <= blockSize * 2 ** 32) return;
  throw new VhdvaultError('DISK_SIZE', `${name} has ${size} bytes, more than 2^32 blocks of ${blockSize}`, {
    hint: 'use a vault with larger blocks: vhdvault init --block-size 1MiB',
    details: { size, blockSize },
  });
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
