import { stripVTControlCharacters } from 'node:util';
import type { Share, ShowResult } from '../jobs/point-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { untilText } from './points-text.ts';
import { countText, durationText, sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { tableLines } from './table.ts';

type Point = ShowResult['point'];
type PointDisk = Point['disks'][number];

const MOST_OUTPUT = 20;

/** One point in full; ids are whole here, since this is where one copies them from. */
export function showText(result: ShowResult, look: Look): string {
  const { point } = result;
  const disks: readonly PointDisk[] = point.disks;
  return [
    paint(look, 'bold', `${point.item}@${point.point}`),
    ...tableLines(factRows(point), { indent: 2 }),
    ...outputLines(point.hooks.output),
    ...disks.flatMap((disk) => diskLines(disk, look)),
    ...remarkLines(look, result.warnings),
  ].join('\n');
}

function factRows(point: Point): string[][] {
  const rows = [
    ['time', momentText(point.time)],
    ['type', point.base === null ? point.type : `${point.type} on ${point.base}`],
    ['consistency', point.consistency],
    ['number in the log', String(point.sequence)],
    ['started', `${momentText(point.started)}, took ${durationText(point.seconds)}`],
    ['boot disk', point.bootDisk],
    ['made by', point.tool],
    ['bytes', bytesText(point.bytes)],
    ['unique', shareText(point.unique)],
    ['shared', shareText(point.shared)],
  ];
  if (point.reason !== '') rows.push(['reason', point.reason]);
  if (point.tags.length > 0) rows.push(['tags', point.tags.join(', ')]);
  if (point.note !== '') rows.push(['note', point.note]);
  if (point.pinned !== null) rows.push(['pinned', untilText(point.pinned)]);
  if (point.protectedUntil !== null) rows.push(['protected', untilText(point.protectedUntil)]);
  if (point.hooks.outcome !== 'none') rows.push(['hooks', point.hooks.outcome]);
  return rows;
}

function shareText(share: Share | null): string {
  if (share === null) return 'cannot tell';
  if (share.bytes === 0) return 'nothing';
  return `${sizeText(share.bytes)} in ${countText(share.blocks, 'block')} and ${countText(share.pages, 'map page')}`;
}

/** The end of what the hooks printed, which is where failures are told; never what would move a terminal's cursor. */
function outputLines(output: string): string[] {
  if (output.trim() === '') return [];
  const lines = output.trimEnd().split(/\r?\n/);
  const last = lines.slice(-MOST_OUTPUT).map((line) => stripVTControlCharacters(line).replace(/\p{Cc}/gu, ' '));
  const before = lines.length - last.length;
  const told = before > 0 ? [`(${countText(before, 'line')} before)`, ...last] : last;
  return told.map((line) => `    ${line}`.trimEnd());
}

function diskLines(disk: PointDisk, look: Look): string[] {
  const { source } = disk;
  const facts = [
    source.format,
    source.blockSize === null ? undefined : `blocks of ${sizeText(source.blockSize)}`,
    source.uniqueId === null ? undefined : `unique id ${source.uniqueId}`,
    source.creator === null ? undefined : `creator ${source.creator}`,
  ];
  const rows = [
    ['source', source.address],
    ['', facts.filter((fact) => fact !== undefined).join(', ')],
    ['block size', sizeText(disk.blockSize)],
    ['bytes', bytesText(disk.bytes)],
    ['fingerprint', disk.fingerprint],
    ['root', disk.root],
  ];
  const title = `  disk ${paint(look, 'bold', disk.name)}, ${sizeText(disk.virtualSize)} (${disk.virtualSize} bytes)`;
  return [title, ...tableLines(rows, { indent: 4 })];
}

function bytesText(bytes: Point['bytes']): string {
  return `read ${sizeText(bytes.read)}, changed ${sizeText(bytes.changed)}, stored ${sizeText(bytes.stored)}`;
}
