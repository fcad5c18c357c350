import type { StatsResult } from '../jobs/point-types.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { oneLine } from './printable.ts';
import { countText, sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

type Stats = StatsResult['stats'];

const HEAD = ['item', 'points', 'size', 'full', 'stored'];
const BAR = 16;
const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** From what the points would take to what the vault takes, then which items and points it is. */
export function statsText({ stats, warnings }: StatsResult, look: Look): string {
  return [
    `${paint(look, 'bold', oneLine(stats.vault))}  ${extentText(stats)}`,
    ...tableLines(sizeRows(stats), { align: 'lrl', indent: 2 }),
    ...itemLines(stats),
    ...growthLines(stats),
    ...remarkLines(look, warnings),
  ].join('\n');
}

function extentText({ items, points, since, logEntries }: Stats): string {
  const held = `${countText(points, 'point')} of ${countText(items, 'item')}`;
  const entries = countText(logEntries, 'log entry', 'log entries');
  return since === null ? `no points, ${entries}` : `${held} since ${momentText(since)}, ${entries}`;
}

function sizeRows(stats: Stats): string[][] {
  const { byDedup, byCompression } = stats.saved;
  const files = `${countText(stats.packs, 'pack')} and ${countText(stats.segments, 'index segment')}`;
  const rows = [
    ['virtual', sizeText(stats.virtualBytes), 'the disks of all points'],
    ['full', sizeOrUnknown(stats.fullBytes), 'without zeros: what a full copy of each point would take'],
    ['unique', sizeOrUnknown(stats.uniqueBytes), `equal blocks once${timesLess(byDedup)}`],
    ['stored', sizeText(stats.storedBytes), `compressed, in ${files}${timesLess(byCompression)}`],
  ];
  if (stats.free !== null) rows.push(['free', sizeText(stats.free), 'where the vault lies']);
  return rows;
}

function sizeOrUnknown(bytes: number | null): string {
  return bytes === null ? 'unknown' : sizeText(bytes);
}

function timesLess(factor: number | null): string {
  return factor === null || factor < 1 ? '' : `: ${factor.toFixed(1)} times less`;
}

function itemLines({ byItem }: Stats): string[] {
  if (byItem.length === 0) return [];
  const most = Math.max(...byItem.map(({ stored }) => stored));
  const rows = byItem.map((item) => [
    item.item,
    String(item.points),
    sizeText(item.virtualSize),
    sizeOrUnknown(item.fullBytes),
    sizeText(item.stored),
    barText(most > 0 ? item.stored / most : 0),
  ]);
  return tableLines(rows, { head: HEAD, align: 'lrrrrl' });
}

/** A share (0 to 1) of a bar, in eighths of a column; the smallest share is seen, too. */
function barText(share: number): string {
  const eighths = Math.ceil(share * BAR * 8);
  return '█'.repeat(Math.floor(eighths / 8)) + EIGHTHS[eighths % 8];
}

function growthLines({ growth }: Stats): string[] {
  if (growth.length === 0) return [];
  const ids = growth.map(({ point }) => point);
  const rows = growth.map(({ item, point, time, stored }) => [
    `${item}@${shortPoint(point, ids)}`,
    momentText(time),
    sizeText(stored),
  ]);
  return ['largest growth', ...tableLines(rows, { align: 'llr', indent: 2 })];
}
