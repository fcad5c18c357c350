import type { RestoreResult } from '../jobs/types.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, sizeText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortFormat, shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

export function restoreText(result: RestoreResult, look: Look): string {
  return [
    paint(look, 'bold', `${result.item}@${shortPoint(result.point)}`),
    ...tableLines(result.disks.map(result.dryRun ? plannedRow : diskRow), { align: 'lrllrlrlrl', indent: 2, gap: 1 }),
    ...remarkLines(look, result.warnings),
    result.dryRun ? 'dry run: nothing was written' : restoredLine(result, look),
  ].join('\n');
}

type RestoredDisk = RestoreResult['disks'][number];

function diskRow(disk: RestoredDisk): string[] {
  return [
    disk.name,
    sizeText(disk.virtualSize),
    `${shortFormat(disk.format)} `,
    ' read',
    sizeText(disk.bytes.read),
    ' written',
    sizeText(disk.bytes.written),
    ' skipped',
    sizeText(disk.bytes.skipped),
    ` ${disk.path}`,
  ];
}

function plannedRow(disk: RestoredDisk): string[] {
  return [disk.name, sizeText(disk.virtualSize), `${shortFormat(disk.format)} `, ` ${disk.path}`];
}

function restoredLine(result: RestoreResult, look: Look): string {
  const speed = speedText(
    result.disks.reduce((sum, disk) => sum + disk.bytes.read, 0),
    result.seconds,
  );
  const what = paint(look, 'green', `${countText(result.disks.length, 'disk')} restored`);
  return `${what} in ${durationText(result.seconds)}${speed ? ` (${speed})` : ''}`;
}
