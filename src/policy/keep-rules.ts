import { VhdvaultError } from '../base/errors.ts';
import { type Duration, durationText, timeBefore } from './duration.ts';
import { type Moment, PERIOD_RULES, type PeriodRule, type Periods, periodsIn } from './periods.ts';
import { zoneOf } from './zone.ts';

/** Which points of an item to keep: whatever any of the rules keeps. A count of 0 is no rule. */
export interface KeepRules extends Readonly<Partial<Record<'last' | PeriodRule, number>>> {
  /** All points that are at most that much older than the latest one. */
  readonly within?: Duration;
  /** The time zone (IANA) whose hours, days and months count. */
  readonly zone: string;
}

/** What the rules look at. */
export interface KeepPoint {
  readonly id: string;
  /** Milliseconds since 1970 UTC. */
  readonly time: number;
  /** Its place in the log, which alone says what is newer. */
  readonly sequence: number;
  readonly pinned: boolean;
}

export interface KeptPoint {
  /** Its id. */
  readonly point: string;
  /** In words, at least one: `latest`, `daily 2026-11-20`. */
  readonly reasons: readonly string[];
}

/** Every point is in one of the two lists, in the order of the log. */
export interface KeepPlan {
  readonly kept: readonly KeptPoint[];
  /** Their ids. */
  readonly forgotten: readonly string[];
}

type Dated = KeepPoint & Moment;
/** Called for each point that a rule keeps. */
type Keep = (point: KeepPoint, reason: string) => void;

/** Whether there is any rule: without one, all is kept. */
export function hasRule(rules: KeepRules): boolean {
  return rules.within !== undefined || ['last' as const, ...PERIOD_RULES].some((rule) => (rules[rule] ?? 0) > 0);
}

/**
 * Decides which points of one item the rules keep, and why. The latest point and pinned ones are always kept.
 *
 * A rule of periods keeps the newest point of each of the newest N periods that have points. Where periods between two of
 * them have none, the first point after that gap inherits its place, one of the N, however long the gap is.
 *
 * Forgetting is stable: of the points that it kept, the same rules keep all again, for the same reasons.
 * @throws USAGE for an unknown zone, a count that is no whole number from 0, or a duration that is not from 0
 */
export function planKeep(points: readonly KeepPoint[], rules: KeepRules): KeepPlan {
  checkRules(rules);
  const newestFirst = points.toSorted((a, b) => b.sequence - a.sequence);
  const reasons = new Map<string, string[]>();
  const keep: Keep = ({ id }, reason) => {
    const known = reasons.get(id);
    if (known) known.push(reason);
    else reasons.set(id, [reason]);
  };
  keepAlways(newestFirst, keep);
  if (hasRule(rules)) keepByRules(newestFirst, rules, keep);
  else for (const point of newestFirst) keep(point, 'no rule');
  const ids = newestFirst.reverse().map(({ id }) => id);
  return {
    kept: ids.flatMap((id) => (reasons.has(id) ? [{ point: id, reasons: reasons.get(id) ?? [] }] : [])),
    forgotten: ids.filter((id) => !reasons.has(id)),
  };
}

function keepAlways(newestFirst: readonly KeepPoint[], keep: Keep): void {
  if (newestFirst[0]) keep(newestFirst[0], 'latest');
  for (const point of newestFirst) if (point.pinned) keep(point, 'pinned');
}

function keepByRules(newestFirst: readonly KeepPoint[], rules: KeepRules, keep: Keep): void {
  const { last = 0, within } = rules;
  const zone = zoneOf(rules.zone);
  for (const point of newestFirst.slice(0, last)) keep(point, `last ${last}`);
  if (within && newestFirst[0]) {
    // From the latest point, not from now: an item whose backups have stopped loses nothing more.
    const since = timeBefore(newestFirst[0].time, within, zone);
    const why = `within ${durationText(within)}`;
    // Said so that a time that no calendar knows is kept.
    for (const point of newestFirst) if (!(point.time < since)) keep(point, why);
  }
  const used = PERIOD_RULES.filter((rule) => (rules[rule] ?? 0) > 0);
  if (used.length === 0) return;
  const periods = periodsIn(zone);
  const dated = newestFirst.map((point) => ({ ...point, local: point.time + zone.offsetAt(point.time) }));
  for (const rule of used) {
    keepByPeriods(dated, periods[rule], rules[rule] ?? 0, (point, why) => keep(point, `${rule} ${why}`));
  }
}

interface Period {
  period: number;
  newest: KeepPoint;
  first: KeepPoint;
}

/**
 * What is decided here must not rest on a point that is forgotten, or forgetting twice would forget more. So a gap counts
 * only between two periods that are both kept; when one place is left, it goes to the period before the gap.
 */
function keepByPeriods(newestFirst: readonly Dated[], periods: Periods, count: number, keep: Keep): void {
  let left = count;
  // The earliest so far. Where the clock went back, periods do not come in their order, and no gap is seen.
  let earliest: Period | undefined;
  for (const one of withPoints(newestFirst, periods)) {
    if (left === 0) return;
    const isEarlier = earliest === undefined || one.period < earliest.period;
    const gap = isEarlier && earliest && left > 1 ? gapText(periods, one.period, earliest.period) : undefined;
    if (earliest && gap !== undefined) {
      keep(earliest.first, gap);
      if (earliest.first !== earliest.newest) left--;
    }
    keep(one.newest, periods.text(one.period));
    left--;
    if (isEarlier) earliest = one;
  }
}

/** The periods that have points, those first whose newest point is newest. */
function withPoints(newestFirst: readonly Dated[], periods: Periods): Iterable<Period> {
  const found = new Map<number, Period>();
  for (const point of newestFirst) {
    const period = periods.of(point);
    const known = found.get(period);
    if (known) known.first = point;
    else found.set(period, { period, newest: point, first: point });
  }
  return found.values();
}

/** Which periods between two have no point, if any. */
function gapText(periods: Periods, before: number, after: number): string | undefined {
  const newest = periods.before(after);
  if (newest <= before) return undefined;
  const oldest = periods.after(before);
  const missing = oldest < newest ? `from ${periods.text(oldest)} to ${periods.text(newest)}` : `that ${periods.noun}`;
  return `${periods.text(newest)} (inherited: no point ${missing})`;
}

function checkRules(rules: KeepRules): void {
  for (const rule of ['last', ...PERIOD_RULES] as const) {
    const count = rules[rule] ?? 0;
    if (Number.isInteger(count) && count >= 0) continue;
    throw new VhdvaultError('USAGE', `the ${rule} rule cannot keep ${count} points`, {
      hint: 'give it a whole number from 0; with 0 the rule is not used',
      details: { rule, count },
    });
  }
  const { months, milliseconds } = rules.within ?? { months: 0, milliseconds: 0 };
  if (months >= 0 && milliseconds >= 0) return;
  throw new VhdvaultError('USAGE', `the within rule cannot keep ${months} months and ${milliseconds} ms`, {
    hint: 'give it both, each from 0, as parseDuration does',
    details: { months, milliseconds },
  });
}
