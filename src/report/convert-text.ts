import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { durationText, sizeText, speedText } from './quantity.ts';
import { shortFormat } from './short-name.ts';

/** What `vhd convert` tells. */
export interface ConvertReport {
  source: string;
  /** Of the target. */
  path: string;
  format: string;
  virtualSize: number;
  /** Of the disk's bytes: skipped are zeros that take no space. */
  bytes: { read: number; written: number; skipped: number };
  seconds: number;
}

export function convertText(result: ConvertReport, look: Look): string {
  const { bytes } = result;
  const speed = speedText(bytes.read, result.seconds);
  return [
    oneLine(`${result.source} -> ${result.path}`),
    `  ${sizeText(result.virtualSize)} ${shortFormat(result.format)}   read ${sizeText(bytes.read)}   written ${sizeText(bytes.written)}   skipped ${sizeText(bytes.skipped)}`,
    `${paint(look, 'green', 'converted')} in ${durationText(result.seconds)}${speed ? ` (${speed})` : ''}`,
  ].join('\n');
}
