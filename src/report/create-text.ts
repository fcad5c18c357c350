import type { AnyFinding } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { sizeText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortFormat } from './short-name.ts';

/** What `vhd create` tells, of which it shows some. */
export interface CreateReport {
  path: string;
  format: string;
  fileSize: number;
  currentSize: number;
  uniqueId: string | null;
  blockSize: number | null;
  parent: { path: string } | null;
  findings: readonly AnyFinding[];
  warnings: readonly string[];
  notices: readonly string[];
}

export function createText(result: CreateReport, look: Look): string {
  const { path, currentSize, format, blockSize, fileSize, uniqueId, parent, warnings, notices } = result;
  const facts = [
    `${sizeText(currentSize)} ${shortFormat(format)}`,
    ...(blockSize === null ? [] : [`blocks of ${sizeText(blockSize)}`]),
    `file ${sizeText(fileSize)}`,
    `id ${uniqueId}`,
  ];
  return [
    `${paint(look, 'green', 'created')} ${oneLine(path)}`,
    `  ${facts.join('   ')}`,
    ...(parent === null ? [] : [oneLine(`  parent ${parent.path}`)]),
    ...remarkLines(look, warnings, notices),
  ].join('\n');
}
