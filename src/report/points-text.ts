import type { PointSummary, PointsResult } from '../jobs/point-types.ts';
import type { Look } from './look.ts';
import { momentText } from './moment.ts';
import { sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoints } from './short-name.ts';
import { tableLines } from './table.ts';

const HEAD = ['item', 'point', 'time', 'type', 'consistency', 'size', 'changed', 'stored', 'disks'];

/** Columns that are there where any point has something in them. */
const FACTS: readonly { head: string; cell: (point: PointSummary) => string }[] = [
  { head: 'tags', cell: ({ tags }) => tags.join(', ') },
  { head: 'pinned', cell: ({ pinned }) => untilText(pinned) },
  { head: 'protected', cell: ({ protectedUntil }) => untilText(protectedUntil) },
  { head: 'forgotten', cell: ({ forgotten }) => (forgotten === null ? '' : momentText(forgotten)) },
  { head: 'kept', cell: ({ forgotten, expires }) => (forgotten === null ? '' : keptText(expires)) },
];

/** The points as they come: newest last. */
export function pointsText(result: PointsResult, look: Look, none = 'no points'): string {
  const short = shortPoints(result.points.map(({ point }) => point));
  const facts = FACTS.map(({ head, cell }) => ({ head, cells: result.points.map(cell) })).filter(({ cells }) =>
    cells.some((cell) => cell !== ''),
  );
  const table = tableLines(
    result.points.map((point, n) => [...pointRow(point, short), ...facts.map(({ cells }) => cells[n] ?? '')]),
    { head: [...HEAD, ...facts.map(({ head }) => head)], align: 'lllllrrrl' },
  );
  return [...(result.points.length > 0 ? table : [none]), ...remarkLines(look, result.warnings)].join('\n');
}

function pointRow(point: PointSummary, short: (id: string) => string): string[] {
  return [
    point.item,
    short(point.point),
    momentText(point.time),
    point.type,
    point.consistency,
    sizeText(point.disks.reduce((sum, disk) => sum + disk.virtualSize, 0)),
    sizeText(point.bytes.changed),
    sizeText(point.bytes.stored),
    point.disks.map((disk) => disk.name).join(', '),
  ];
}

/** `until 2026-12-24 18:00`, `forever`, or nothing. */
export function untilText(until: string | null): string {
  if (until === null) return '';
  return until === 'forever' ? until : `until ${momentText(until)}`;
}

/** gc frees by its own clock and options, so this is the least. */
function keptText(expires: string | null): string {
  return expires === null ? 'for now' : untilText(expires);
}
