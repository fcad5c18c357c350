import type { ProtectResult } from '../jobs/protect-types.ts';
import type { Look } from './look.ts';
import { momentText } from './moment.ts';
import { ageText, countText } from './quantity.ts';
import { remarkLines } from './remarks.ts';

export function protectText(result: ProtectResult, look: Look): string {
  return [...remarkLines(look, result.warnings, result.notices), ...lines(result)].join('\n');
}

function lines({ minRetention, since, lowerableFrom, before, points, ...rest }: ProtectResult): string[] {
  const protectedNow =
    rest.protected > 0 ? [`${rest.protected} of ${countText(points, 'point')} cannot be forgotten yet`] : [];
  if (minRetention === 0) return ['no minimum retention: new points can be forgotten at any age', ...protectedNow];
  const was = before !== null && before > 0 && before !== minRetention ? ` (before: ${ageText(before)})` : '';
  const from = since === null ? '' : `, since ${momentText(since)}`;
  const then = lowerableFrom === null ? 'it can be lowered' : `it can be lowered from ${momentText(lowerableFrom)} on`;
  return [`minimum retention: ${ageText(minRetention)}${was}${from}; ${then}`, ...protectedNow];
}
