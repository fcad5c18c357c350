import { countText, sizeText } from './quantity.ts';
import { shortFormat } from './short-name.ts';
import { tableLines } from './table.ts';

/** What `vhd map` tells. */
export interface MapResult {
  file: string;
  format: string;
  virtualSize: number;
  extents: { offset: number; length: number; kind: string }[];
}

export function mapText(result: MapResult): string {
  const sums = new Map<string, number>();
  for (const { kind, length } of result.extents) sums.set(kind, (sums.get(kind) ?? 0) + length);
  const shares = [...sums].map(([kind, bytes]) => `${sizeText(bytes)} ${kind}`).join(', ');
  const size = `${sizeText(result.virtualSize)} of ${shortFormat(result.format)}`;
  return [
    ...tableLines(
      result.extents.map(({ offset, length, kind }) => [String(offset), String(length), kind]),
      { head: ['offset', 'length', 'kind'], align: 'rrl' },
    ),
    `${countText(result.extents.length, 'extent')}, ${size}${shares ? `: ${shares}` : ''}`,
  ].join('\n');
}
