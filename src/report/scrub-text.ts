import type { ScrubResult } from '../jobs/scrub-types.ts';
import { findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { countText, durationText, sizeText } from './quantity.ts';

export function scrubText(result: ScrubResult, look: Look): string {
  return [...findingLines(look, result.findings), checkedLine(result), LIMITS, verdictLine(result, look)].join('\n');
}

/** Who reads "no damage" must know what it does not mean. */
const LIMITS =
  'not told without the key: what is missing, what it hits, the newest log entry and what is in key slots (`vhdvault verify`)';

function checkedLine({ checked, seconds }: ScrubResult): string {
  const parts = [
    countText(checked.packs, 'pack'),
    countText(checked.segments, 'index segment'),
    countText(checked.entries, 'log entry', 'log entries'),
    countText(checked.slots, 'key slot'),
    sizeText(checked.bytes),
  ];
  return `scrubbed ${parts.join(', ')} in ${durationText(seconds)}`;
}

function verdictLine({ ok, findings }: ScrubResult, look: Look): string {
  if (ok) return paint(look, 'green', 'every name tells its bytes: no damage found');
  const damage = findings.filter(({ severity }) => severity === 'damage');
  return paint(look, 'red', `DAMAGE FOUND: ${countText(damage.length, 'finding')}`);
}
