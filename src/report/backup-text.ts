import type { BackupResult, DiskResult } from '../jobs/types.ts';
import { DISK_COLUMNS, diskCells } from './disk-cells.ts';
import { type Look, paint } from './look.ts';
import { recentText } from './moment.ts';
import { countText, durationText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { stripText } from './strip.ts';
import { tableLines } from './table.ts';

export function backupText(result: BackupResult, look: Look): string {
  const base = result.base ? ` on ${shortPoint(result.base.point)} (${recentText(result.base.time, look.now)})` : '';
  const healed =
    result.healed > 0 ? [`${countText(result.healed, 'block')} stored again: the vault's copy was bad`] : [];
  return [
    `${paint(look, 'bold', result.item)}  ${result.type}${base}  ${paint(look, 'dim', result.reason)}`.trimEnd(),
    ...tableLines(result.disks.map(diskRow), DISK_COLUMNS),
    ...remarkLines(look, result.warnings, [...result.notices, ...healed]),
    savedLine(result, look),
  ].join('\n');
}

function diskRow(disk: DiskResult): string[] {
  const { read, changed, stored } = disk.bytes;
  return diskCells(disk, { read, changed, stored }, stripText(disk.strip));
}

function savedLine(result: BackupResult, look: Look): string {
  const speed = speedText(result.bytes.read, result.seconds);
  const took = `${durationText(result.seconds)}${speed ? ` (${speed})` : ''}`;
  const consistency = result.consistency === 'app' ? 'application' : result.consistency;
  return `${paint(look, 'green', `point ${shortPoint(result.point)} saved`)} in ${took}, ${consistency}-consistent`;
}
