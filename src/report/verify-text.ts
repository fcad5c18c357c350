import type { Sampled, VerifyResult } from '../jobs/verify-types.ts';
import { findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, sizeText } from './quantity.ts';

export function verifyText(result: VerifyResult, look: Look): string {
  const lines = [...findingLines(look, result.findings), checkedLine(result)];
  if (result.sampled) lines.push(sampledLine(result.sampled));
  return [...lines, verdictLine(result, look)].join('\n');
}

function checkedLine({ checked, seconds }: VerifyResult): string {
  const parts = [
    countText(checked.points, 'point'),
    countText(checked.entries, 'log entry', 'log entries'),
    countText(checked.packs, 'pack'),
    countText(checked.segments, 'index segment'),
    countText(checked.blocks, 'block'),
    checked.bytes > 0 ? sizeText(checked.bytes) : 'no data read',
  ];
  return `checked ${parts.join(', ')} in ${durationText(seconds)}`;
}

/** How much of the vault was read, and when all of it will have been. */
function sampledLine({ packs, ofPacks, bytes, ofBytes, to, runs }: Sampled): string {
  const read = `read ${packs} of ${countText(ofPacks, 'pack')}, ${sizeText(bytes)} of ${sizeText(ofBytes)}`;
  if (packs === ofPacks) return `${read}: everything`;
  return `${read}; the next such run goes on at ${to.toFixed(1)} % of the names, ${runs} such runs read everything`;
}

function verdictLine(result: VerifyResult, look: Look): string {
  const damage = result.findings.filter((finding) => finding.severity === 'damage');
  if (result.ok) return paint(look, 'green', 'no damage found');
  const points = new Set(damage.flatMap((finding) => finding.points));
  const touched = points.size > 0 ? `, touching ${countText(points.size, 'point')}` : ', touching no point';
  return paint(look, 'red', `DAMAGE FOUND: ${countText(damage.length, 'finding')}${touched}`);
}
