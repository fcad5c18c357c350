import { VhdvaultError } from '../base/errors.ts';
import { parseDuration } from '../policy/duration.ts';
import { hasRule, type KeepRules, planKeep } from '../policy/keep-rules.ts';
import { PERIOD_RULES } from '../policy/periods.ts';
import { checkZone, localZone } from '../policy/zone.ts';
import type { RetentionRules } from './forget-types.ts';

const RULES: readonly string[] = ['last', ...PERIOD_RULES];
const KNOWN = `rules are ${RULES.join(', ')} and within`;

/**
 * Rules as the plan needs them, checked before anything is opened.
 * @throws USAGE for an unknown zone (of TZ, too) or rule, a wrong count or duration, and where no rule keeps anything
 */
export function keepRules({ within, zone, ...counts }: RetentionRules): KeepRules {
  const duration = within === undefined ? undefined : parseDuration(within, '--keep-within');
  const isLong = duration && (duration.months > 0 || duration.milliseconds > 0);
  const rules: KeepRules = {
    ...counts,
    ...(isLong && { within: duration }),
    zone: zone === undefined ? localZone() : checkZone(zone),
  };
  planKeep([], rules);
  const unknown = Object.keys(counts).find((rule) => !RULES.includes(rule));
  if (unknown !== undefined) throw new VhdvaultError('USAGE', `there is no rule "${unknown}"`, { hint: KNOWN });
  if (hasRule(rules)) return rules;
  throw new VhdvaultError('USAGE', 'a rule of 0 is no rule, so none keeps anything', {
    hint: 'write how many to keep, as --keep-last 7; --keep-last 1 keeps nothing but the latest point',
  });
}
