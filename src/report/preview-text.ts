import type { BackupPreview } from '../jobs/backup-types.ts';
import { headLine, skippedNotes } from './backup-text.ts';
import { DISK_COLUMNS, diskCells } from './disk-cells.ts';
import { type Look, paint } from './look.ts';
import { durationText, sizeText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { stripText } from './strip.ts';
import { tableLines } from './table.ts';

/** What a backup would find. */
export function previewText(result: BackupPreview, look: Look): string {
  const { bytes, seconds, disks } = result;
  const speed = speedText(bytes.read, seconds);
  const took = `${durationText(seconds)}${speed ? ` (${speed})` : ''}`;
  const most = bytes.changed === 0 ? 'nothing changed' : `at most ${sizeText(bytes.changed)} would be stored`;
  return [
    headLine(result, look),
    ...tableLines(
      disks.map((disk) => {
        const { read, changed } = disk.bytes;
        return diskCells(disk, { read, changed }, stripText(disk.strip));
      }),
      DISK_COLUMNS,
    ),
    ...remarkLines(look, result.warnings, [...result.notices, ...skippedNotes(result)]),
    `${paint(look, 'yellow', 'dry run')}: ${most}, found in ${took}; no point was made`,
  ].join('\n');
}
