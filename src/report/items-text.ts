import type { ItemsResult } from '../jobs/point-types.ts';
import type { Look } from './look.ts';
import { momentText } from './moment.ts';
import { sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoint } from './short-name.ts';
import { tableLines } from './table.ts';

const HEAD = ['item', 'points', 'latest', 'time', 'size', 'stored', 'disks'];

export function itemsText(result: ItemsResult, look: Look): string {
  const rows = result.items.map((item) => [
    item.item,
    String(item.points),
    shortPoint(item.latest),
    momentText(item.time),
    sizeText(item.virtualSize),
    sizeText(item.stored),
    item.disks.join(', '),
  ]);
  const table = rows.length > 0 ? tableLines(rows, { head: HEAD, align: 'lrllrrl' }) : ['no items'];
  return [...table, ...remarkLines(look, result.warnings)].join('\n');
}
