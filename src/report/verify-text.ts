import type { VerifyResult } from '../jobs/verify-types.ts';
import { findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, sizeText } from './quantity.ts';

export function verifyText(result: VerifyResult, look: Look): string {
  return [...findingLines(look, result.findings), checkedLine(result), verdictLine(result, look)].join('\n');
}

function checkedLine({ checked, seconds }: VerifyResult): string {
  const parts = [
    countText(checked.points, 'point'),
    countText(checked.entries, 'log entry', 'log entries'),
    countText(checked.packs, 'pack'),
    countText(checked.segments, 'index segment'),
    countText(checked.blocks, 'block'),
    sizeText(checked.bytes),
  ];
  return `checked ${parts.join(', ')} in ${durationText(seconds)}`;
}

function verdictLine(result: VerifyResult, look: Look): string {
  const damage = result.findings.filter((finding) => finding.severity === 'damage');
  if (result.ok) return paint(look, 'green', 'no damage found');
  const points = new Set(damage.flatMap((finding) => finding.points));
  const touched = points.size > 0 ? `, touching ${countText(points.size, 'point')}` : '';
  return paint(look, 'red', `DAMAGE FOUND: ${countText(damage.length, 'finding')}${touched}`);
}
