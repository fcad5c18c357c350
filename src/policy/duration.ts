import { VhdvaultError } from '../base/errors.ts';
import { DAY, HOUR } from '../base/units.ts';
import type { Zone } from './zone.ts';

/** A length of time. Months are those of the calendar, years are twelve of them; days and weeks are 24 hours and seven times that. */
export interface Duration {
  readonly months: number;
  readonly milliseconds: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;

const YEAR = 12;
const MOST_MONTHS = 9999 * YEAR;
const MOST_MILLISECONDS = 9999 * 365 * DAY;

const MONTHS = { y: YEAR, mo: 1 };
const MILLISECONDS = { w: 7 * DAY, d: DAY, h: HOUR, min: MINUTE, s: SECOND, ms: 1 };
const UNITS = [...Object.keys(MONTHS), ...Object.keys(MILLISECONDS)];
const FORM = new RegExp(`^${UNITS.map((unit) => `(?:(?<${unit}>\\d+) ?${unit} ?)?`).join('')}$`);
const HINT =
  'write whole numbers with y (years), mo (months), w, d, h, min, s or ms, the largest first, as 30d, 24h, 2w, 90min, 1y6mo or 1d12h';

/**
 * `30d`, `24h`, `0s`, `2w`, `90min`, `1d12h`, `1y6mo`. `option` is what the error names.
 * @throws USAGE
 */
export function parseDuration(text: string, option?: string): Duration {
  const groups = FORM.exec(text.trim())?.groups;
  const sum = (units: Readonly<Record<string, number>>): number =>
    Object.entries(units).reduce((total, [unit, worth]) => total + Number(groups?.[unit] ?? 0) * worth, 0);
  const [months, milliseconds] = [sum(MONTHS), sum(MILLISECONDS)];
  if (!groups || text.trim() === '') throw notOne(text, option, cureOf(text.trim()));
  if (months <= MOST_MONTHS && milliseconds <= MOST_MILLISECONDS) return { months, milliseconds };
  throw notOne(text, option, 'the longest is 9999y, or 3649635d');
}

/** As it is written, in the form that parses to the same: `1y6mo`, `30d`, `1h30min`. Weeks are told in days. */
export function durationText({ months, milliseconds }: Duration): string {
  const { w: _, ...units } = MILLISECONDS;
  const text = parts(months, MONTHS) + parts(milliseconds, units);
  return text === '' ? '0s' : text;
}

/**
 * The instant a duration before another. Months go back in the calendar of the zone, to the same time of the same day,
 * or of the month's last day: a month before the 31st of March is the end of February. The rest goes back after them.
 */
export function timeBefore(time: number, { months, milliseconds }: Duration, zone: Zone): number {
  if (months === 0) return time - milliseconds;
  const local = new Date(time + zone.offsetAt(time));
  const day = local.getUTCDate();
  // To the first, since the target month may be shorter.
  local.setUTCMonth(local.getUTCMonth() - months, 1);
  const lastDay = new Date(local).setUTCMonth(local.getUTCMonth() + 1, 0);
  local.setUTCDate(Math.min(day, new Date(lastDay).getUTCDate()));
  return zone.instantOf(local.getTime()) - milliseconds;
}

function parts(total: number, units: Readonly<Record<string, number>>): string {
  let rest = total;
  const texts = Object.entries(units).map(([unit, worth]) => {
    const count = Math.floor(rest / worth);
    rest -= count * worth;
    return count > 0 ? `${count}${unit}` : '';
  });
  return texts.join('');
}

function cureOf(text: string): string {
  if (text.startsWith('-')) return `a duration goes back by itself: leave the minus out, and ${HINT}`;
  if (/^\d+$/.test(text)) return `say of what: ${text}d are days; ${HINT}`;
  if (/\d ?m(?![a-z])/i.test(text)) return `"m" may be minutes or months: ${HINT}`;
  return HINT;
}

function notOne(text: string, option: string | undefined, hint: string): VhdvaultError {
  const what = option === undefined ? 'no duration' : `${option} is no duration`;
  const details = { ...(option !== undefined && { option }), value: text };
  return new VhdvaultError('USAGE', `${what}: "${text}"`, { hint, details });
}
