import type { RestoreResult } from '../jobs/restore-types.ts';
import { DISK_COLUMNS, diskCells } from './disk-cells.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

export function restoreText(result: RestoreResult, look: Look): string {
  return [
    paint(look, 'bold', `${result.item}@${shortPoint(result.point)}`),
    ...tableLines(result.disks.map(result.dryRun ? plannedRow : diskRow), DISK_COLUMNS),
    ...remarkLines(look, result.warnings),
    result.dryRun ? 'dry run: nothing was written' : restoredLine(result, look),
  ].join('\n');
}

type RestoredDisk = RestoreResult['disks'][number];

function diskRow(disk: RestoredDisk): string[] {
  const { read, written, skipped } = disk.bytes;
  return diskCells(disk, { read, written, skipped }, disk.path);
}

function plannedRow(disk: RestoredDisk): string[] {
  return diskCells(disk, {}, disk.path);
}

function restoredLine(result: RestoreResult, look: Look): string {
  const speed = speedText(
    result.disks.reduce((sum, disk) => sum + disk.bytes.read, 0),
    result.seconds,
  );
  const what = paint(look, 'green', `${countText(result.disks.length, 'disk')} restored`);
  return `${what} in ${durationText(result.seconds)}${speed ? ` (${speed})` : ''}`;
}
