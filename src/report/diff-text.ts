import type { ComparedPoint, DiffDisk, DiffResult } from '../jobs/diff-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { oneLine } from './printable.ts';
import { countText, sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { stripText } from './strip.ts';
import { tableLines } from './table.ts';

/** What `diff` tells; with the file of its picture, if one was asked for. */
export type DiffReport = DiffResult & { svg?: string };

const MOST_RANGES = 10;

export function diffText(result: DiffReport, look: Look): string {
  const { from, to, disks } = result;
  const ids = [from.point, to.point];
  const nothing = disks.every(({ changed }) => changed.length === 0);
  return [
    `${pointText(from, ids, look)} -> ${pointText(to, ids, look)}`,
    ...tableLines(disks.map(diskRow), { align: 'lrlrrll', indent: 2 }),
    ...disks.flatMap(sizeLine),
    ...disks.flatMap(rangeLines),
    ...(nothing ? [paint(look, 'green', 'no difference')] : []),
    ...remarkLines(look, result.warnings),
    ...(result.svg === undefined ? [] : [`picture: ${oneLine(result.svg)}`]),
  ].join('\n');
}

function pointText({ item, point, time }: ComparedPoint, ids: readonly string[], look: Look): string {
  return `${paint(look, 'bold', `${item}@${shortPoint(point, ids)}`)} (${momentText(time)})`;
}

/** The name that the disk has now, and the other one where it had another. */
export function diskName({ name, before }: Pick<DiffDisk, 'name' | 'before'>): string {
  return before.name === name ? name : `${name} (was ${before.name})`;
}

function diskRow(disk: DiffDisk): string[] {
  const { size, changedBytes, changed, strip } = disk;
  const all = Math.max(size, disk.before.size);
  const ranges = countText(changed.length, 'range');
  return [
    diskName(disk),
    sizeText(size),
    'changed',
    sizeText(changedBytes),
    shareText(changedBytes / all),
    ranges,
  ].concat(stripText(strip));
}

/** `3 %`; the smallest change is not nothing, and all but everything not all. */
export function shareText(share: number): string {
  if (share === 0 || share === 1) return `${share * 100} %`;
  if (share < 0.001) return '< 0.1 %';
  return share > 0.999 ? '> 99.9 %' : `${(share * 100).toFixed(1)} %`;
}

function sizeLine({ name, size, before }: DiffDisk): string[] {
  if (size === before.size) return [];
  return [`  ${name} ${size > before.size ? 'grew' : 'shrank'} from ${bytesText(before.size)} to ${bytesText(size)}`];
}

function bytesText(bytes: number): string {
  return `${sizeText(bytes)} (${bytes} bytes)`;
}

function rangeLines({ name, changed }: DiffDisk): string[] {
  if (changed.length === 0) return [];
  const largest = changed.toSorted((a, b) => b.length - a.length || a.offset - b.offset).slice(0, MOST_RANGES);
  const rows = largest.map(({ offset, length }) => [
    sizeText(offset),
    String(offset),
    sizeText(length),
    String(length),
  ]);
  const all = `the ${MOST_RANGES} largest of ${changed.length} ranges`;
  const title = `${name}, ${largest.length < changed.length ? all : 'what differs'}`;
  return [title, ...tableLines(rows, { head: ['at', 'byte', 'length', 'bytes'], align: 'rrrr', indent: 2 })];
}
