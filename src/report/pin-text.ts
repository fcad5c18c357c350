import type { PinResult } from '../jobs/pin-types.ts';
import type { Look } from './look.ts';
import { momentText } from './moment.ts';
import { untilText } from './points-text.ts';
import { remarkLines } from './remarks.ts';

export function pinText(result: PinResult, look: Look): string {
  const { item, point, time, pinned, forgotten } = result;
  const name = `${item}@${point}`;
  const is = pinned === null ? 'is not pinned' : `is pinned ${untilText(pinned)}`;
  const lines = [`${name} of ${momentText(time)} ${is}`];
  if (forgotten !== null) {
    const freed = pinned === null ? 'gc may free it' : 'gc does not free it while it is pinned';
    lines.push(`it is forgotten still: ${freed}; \`vhdvault unforget ${name}\` brings it back`);
  }
  return [...remarkLines(look, result.warnings, result.notices), ...lines].join('\n');
}
