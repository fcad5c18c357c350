import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText, durationText, sizeText, speedText } from './quantity.ts';
import { shortFormat } from './short-name.ts';

/** What `vhd merge` tells. */
export interface MergeReport {
  /** The image that has it all now. */
  path: string;
  format: string;
  virtualSize: number;
  /** What was merged and removed, in this order. */
  merged: readonly string[];
  /** What names the new parent now. */
  adopted: readonly string[];
  bytes: number;
  seconds: number;
}

export function mergeText(result: MergeReport, look: Look): string {
  const { path, format, virtualSize, merged, adopted, bytes, seconds } = result;
  const speed = speedText(bytes, seconds);
  return [
    ...merged.map((child) => oneLine(`${child} -> ${path}`)),
    `  ${sizeText(virtualSize)} ${shortFormat(format)}   copied ${sizeText(bytes)}`,
    ...adopted.map((child) => oneLine(`  ${child} is a child of it now`)),
    `${paint(look, 'green', `${countText(merged.length, 'image')} merged`)} in ${durationText(seconds)}${speed ? ` (${speed})` : ''}`,
  ].join('\n');
}
