import { sizeText } from './quantity.ts';
import { shortFormat } from './short-name.ts';
import type { TableShape } from './table.ts';

/** The columns of a table with a row per disk: name, size, format, then pairs of a word and a size, then the rest. */
export const DISK_COLUMNS: TableShape = { align: 'lrllrlrlrl', indent: 2, gap: 1 };

/** One row: `last` is what comes behind the sizes. */
export function diskCells(
  { name, virtualSize, format }: { name: string; virtualSize: number; format: string },
  sizes: Readonly<Record<string, number>>,
  last: string,
): string[] {
  const pairs = Object.entries(sizes).flatMap(([word, bytes]) => [` ${word}`, sizeText(bytes)]);
  return [name, sizeText(virtualSize), `${shortFormat(format)} `, ...pairs, ` ${last}`];
}
