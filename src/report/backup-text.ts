import type { BackupPreview, BackupResult, DiskResult } from '../jobs/backup-types.ts';
import { DISK_COLUMNS, diskCells } from './disk-cells.ts';
import { type Look, paint } from './look.ts';
import { momentText, recentText } from './moment.ts';
import { countText, durationText, sizeText, speedText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { stripText } from './strip.ts';
import { tableLines } from './table.ts';

export function backupText(result: BackupResult, look: Look): string {
  return [
    headLine(result, look),
    ...tableLines(result.disks.map(diskRow), DISK_COLUMNS),
    ...remarkLines(look, result.warnings, [
      ...result.notices,
      ...skippedNotes(result),
      ...resumedNote(result),
      ...healedNote(result),
    ]),
    savedLine(result, look),
  ].join('\n');
}

/** What is backed up, on which base, and why. */
export function headLine({ item, type, base, reason }: BackupResult | BackupPreview, look: Look): string {
  const on = base ? ` on ${shortPoint(base.point)} (${recentText(base.time, look.now)})` : '';
  return `${paint(look, 'bold', item)}  ${type}${on}  ${paint(look, 'dim', reason)}`.trimEnd();
}

function diskRow(disk: DiskResult): string[] {
  const { read, changed, stored } = disk.bytes;
  return diskCells(disk, { read, changed, stored }, stripText(disk.strip));
}

/** Per disk what was not read because its parent is known. */
export function skippedNotes({ disks }: BackupResult | BackupPreview): string[] {
  return disks
    .filter(({ skipped }) => skipped.blocks > 0)
    .map(
      ({ name, skipped: { bytes, audited } }) =>
        `${name}: ${sizeText(bytes)} in its parents not read: no file of them changed, and ${countText(audited, 'block')} drawn at random ${audited === 1 ? 'is' : 'are'} as the latest point has ${audited === 1 ? 'it' : 'them'}`,
    );
}

function resumedNote({ resumed, bytes }: BackupResult): string[] {
  if (!resumed) return [];
  const used = `${sizeText(resumed.bytes)} of the ${sizeText(bytes.stored)} stored`;
  return [`went on with the run of ${momentText(resumed.started)} that was interrupted: ${used} were there from it`];
}

function healedNote({ healed }: BackupResult): string[] {
  return healed > 0
    ? [
        `${countText(healed, 'block')} stored again: ${healed === 1 ? 'its copy' : 'their copies'} in the vault ${healed === 1 ? 'is' : 'are'} quarantined`,
      ]
    : [];
}

function savedLine(result: BackupResult, look: Look): string {
  const speed = speedText(result.bytes.read, result.seconds);
  const took = `${durationText(result.seconds)}${speed ? ` (${speed})` : ''}`;
  const consistency = result.consistency === 'app' ? 'application' : result.consistency;
  const hooks = result.hooks.map(({ hook, seconds }) => `--${hook} ${durationText(seconds)}`).join(', ');
  const saved = paint(look, 'green', `point ${shortPoint(result.point)} saved`);
  return `${saved} in ${took}, ${consistency}-consistent${hooks && ` (${hooks})`}`;
}
