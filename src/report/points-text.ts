import type { PointSummary, PointsResult } from '../jobs/point-types.ts';
import type { Look } from './look.ts';
import { momentText } from './moment.ts';
import { sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

const HEAD = ['item', 'point', 'time', 'type', 'consistency', 'size', 'changed', 'stored', 'disks'];

/** The points as they come: newest last; their tags where any has some. */
export function pointsText(result: PointsResult, look: Look): string {
  const ids = result.points.map((point) => point.point);
  const columns = result.points.some(({ tags }) => tags.length > 0) ? [...HEAD, 'tags'] : HEAD;
  const table = tableLines(
    result.points.map((point) => pointRow(point, ids).slice(0, columns.length)),
    { head: columns, align: 'lllllrrrl' },
  );
  return [...(ids.length > 0 ? table : ['no points']), ...remarkLines(look, result.warnings)].join('\n');
}

function pointRow(point: PointSummary, ids: readonly string[]): string[] {
  return [
    point.item,
    shortPoint(point.point, ids),
    momentText(point.time),
    point.type,
    point.consistency,
    sizeText(point.disks.reduce((sum, disk) => sum + disk.virtualSize, 0)),
    sizeText(point.bytes.changed),
    sizeText(point.bytes.stored),
    point.disks.map((disk) => disk.name).join(', '),
    point.tags.join(', '),
  ];
}
