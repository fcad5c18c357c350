import type { RestoreResult } from '../jobs/restore-types.ts';
import { DISK_COLUMNS, diskCells } from './disk-cells.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, sizeText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

/** Of a disk; `--json` has all. */
const MOST_RANGES = 20;

export function restoreText(result: RestoreResult, look: Look): string {
  return [
    paint(look, 'bold', `${result.item}@${shortPoint(result.point)}`),
    ...tableLines(result.disks.map(result.dryRun ? plannedRow : diskRow), DISK_COLUMNS),
    ...result.disks.flatMap((disk) => lostLines(disk, look)),
    ...remarkLines(look, result.warnings),
    result.dryRun ? dryLine(result) : restoredLine(result, look),
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

function lostLines({ name, lost, lostBytes }: RestoredDisk, look: Look): string[] {
  if (lost.length === 0) return [];
  const shown = lost.slice(0, MOST_RANGES);
  const rows = shown.map(({ offset, length }) => [sizeText(offset), String(offset), sizeText(length), String(length)]);
  const more = lost.length - shown.length;
  const title = `${name}, lost: ${sizeText(lostBytes)} in ${countText(lost.length, 'range')}`;
  return [
    paint(look, 'red', title),
    ...tableLines(rows, { head: ['at', 'byte', 'length', 'bytes'], align: 'rrrr', indent: 2 }),
    ...(more > 0 ? [`  and ${more} more: --json lists all`] : []),
  ];
}

function dryLine({ item, point }: RestoreResult): string {
  return `dry run: nothing was written; only the block maps were read, and \`vhdvault verify ${item}@${point} --read-data\` reads the data`;
}

function restoredLine({ disks, seconds }: RestoreResult, look: Look): string {
  const speed = speedText(sum(disks.map(({ bytes }) => bytes.read)), seconds);
  const lost = sum(disks.map(({ lostBytes }) => lostBytes));
  const what = `${countText(disks.length, 'disk')} restored`;
  const told = lost > 0 ? paint(look, 'yellow', `${what} but for ${sizeText(lost)}`) : paint(look, 'green', what);
  return `${told} in ${durationText(seconds)}${speed ? ` (${speed})` : ''}`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
