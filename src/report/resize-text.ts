import { type AnyFinding, findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { sizeText } from './quantity.ts';
import { shortFormat } from './short-name.ts';

/** What `vhd resize` tells, of which it shows some. */
export interface ResizeReport {
  path: string;
  format: string;
  fileSize: number;
  currentSize: number;
  /** Bytes of the disk. */
  before: number;
  findings: readonly AnyFinding[];
}

export function resizeText(
  { path, format, fileSize, currentSize, before, findings }: ResizeReport,
  look: Look,
): string {
  const file = `${shortFormat(format)}   file ${sizeText(fileSize)}`;
  const done =
    currentSize === before
      ? `already has ${currentSize} bytes: nothing was changed`
      : `${paint(look, 'green', currentSize > before ? 'grown' : 'shrunk')} from ${before} to ${currentSize} bytes`;
  const warnings = findings.filter(({ severity }) => severity !== 'info');
  return [
    oneLine(path),
    `  ${sizeText(before)} -> ${sizeText(currentSize)} ${file}`,
    ...findingLines(look, warnings),
    done,
  ].join('\n');
}
