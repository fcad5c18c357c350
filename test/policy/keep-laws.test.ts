import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type KeepPlan, type KeepPoint, type KeepRules, planKeep } from '../../src/policy/keep-rules.ts';
import { PERIOD_RULES, type PeriodRule } from '../../src/policy/periods.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const ZONES = ['UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Pacific/Apia', 'Asia/Kathmandu'];
const STARTS = ['2011-12-25', '2020-12-20', '2026-03-01', '2026-10-20'].map((day) => Date.parse(day));
const RULES = ['last', ...PERIOD_RULES] as const;

/** From minutes to months after the one before. A clock that may go back does so by as much. */
function pointLists(steady: boolean): fc.Arbitrary<KeepPoint[]> {
  const forth = fc.oneof(
    ...[HOUR / 4, HOUR, 4 * HOUR, DAY, 9 * DAY, 45 * DAY].map((max) => fc.integer({ min: 0, max })),
  );
  const step = steady
    ? forth
    : fc.oneof(
        { weight: 4, arbitrary: forth },
        forth.map((time) => -time),
      );
  const one = fc.record({ step, pinned: fc.integer({ min: 0, max: 9 }).map((n) => n === 0) });
  return fc.tuple(fc.constantFrom(...STARTS), fc.array(one, { maxLength: 40, size: 'max' })).map(([start, steps]) => {
    let time = start;
    return steps.map(({ step, pinned }, n) => {
      time += step;
      return { id: `p${n}`, time, sequence: 3 * n + 1, pinned };
    });
  });
}

const counts = fc.record(Object.fromEntries(RULES.map((rule) => [rule, fc.integer({ min: 0, max: 8 })])), {
  requiredKeys: [],
}) as fc.Arbitrary<Partial<Record<(typeof RULES)[number], number>>>;
const within = fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, fc.integer({ min: 0, max: 20 * DAY }).map(asWithin));
const someRule = fc.constantFrom(...PERIOD_RULES).map((rule) => ({ [rule]: 3 }));
/** At least one. */
const ruleSets: fc.Arbitrary<KeepRules> = fc
  .tuple(someRule, counts, within, fc.constantFrom(...ZONES))
  .map(([some, others, time, zone]) => ({ ...others, ...some, ...time, zone }));

function asWithin(milliseconds: number): Pick<KeepRules, 'within'> {
  return { within: { months: 0, milliseconds } };
}

function pick(
  points: readonly KeepPoint[],
  { kept }: KeepPlan,
  also: (n: number) => boolean = () => false,
): KeepPoint[] {
  const ids = new Set(kept.map(({ point }) => point));
  return points.filter(({ id }, n) => ids.has(id) || also(n));
}

const idsOf = ({ kept }: KeepPlan): string[] => kept.map(({ point }) => point);

describe('keep rules', () => {
  it('decide on each point once, in the order of the log, and always keep the latest and the pinned', () => {
    fc.assert(
      fc.property(pointLists(false), ruleSets, (points, rules) => {
        const plan = planKeep(points, rules);
        const kept = idsOf(plan);
        const inOrder = (ids: readonly string[]): string[] =>
          points.map(({ id }) => id).filter((id) => ids.includes(id));
        expect(kept).toEqual(inOrder(kept));
        expect(plan.forgotten).toEqual(inOrder(plan.forgotten));
        expect(kept.length + plan.forgotten.length).toBe(points.length);
        for (const { id } of points.filter(({ pinned }, n) => pinned || n === points.length - 1))
          expect(kept).toContain(id);
        expect(plan.kept.every(({ reasons }) => reasons.length > 0)).toBe(true);
        expect(planKeep(points.toReversed(), rules)).toEqual(plan);
      }),
    );
  });

  it('are stable: what they kept they keep, for the same reasons, with or without any of what they did not', () => {
    fc.assert(
      fc.property(
        pointLists(false),
        ruleSets,
        fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
        (points, rules, stays) => {
          const plan = planKeep(points, rules);
          expect(planKeep(pick(points, plan), rules)).toEqual({ kept: plan.kept, forgotten: [] });
          const some = pick(points, plan, (n) => stays[n] === true);
          expect(planKeep(some, rules).kept).toEqual(plan.kept);
        },
      ),
      { numRuns: 400 },
    );
  });

  it('keep the same whether points are forgotten after each backup, or all at once', () => {
    fc.assert(
      fc.property(pointLists(true), ruleSets, (points, rules) => {
        let there: KeepPoint[] = [];
        for (const point of points) {
          there.push(point);
          there = pick(there, planKeep(there, rules));
        }
        expect(planKeep(there, rules).kept).toEqual(planKeep(points, rules).kept);
      }),
    );
  });

  it('never keep less for one rule more, or for a greater number', () => {
    fc.assert(
      fc.property(pointLists(false), ruleSets, fc.constantFrom(...RULES), (points, rules, rule) => {
        const more = { ...rules, [rule]: (rules[rule] ?? 0) + 1 };
        expect(idsOf(planKeep(points, more))).toEqual(expect.arrayContaining(idsOf(planKeep(points, rules))));
      }),
    );
  });

  it.each(PERIOD_RULES)(
    'keep by %s as many points as there are periods with points and gaps to inherit, up to N',
    (rule) => {
      fc.assert(
        fc.property(pointLists(true), fc.integer({ min: 1, max: 12 }), (points, count) => {
          const kept = planKeep(points, { [rule]: count, zone: 'UTC' }).kept;
          const by = kept.filter(({ reasons }) => reasons.some((reason) => reason.startsWith(rule)));
          expect(by).toHaveLength(Math.min(count, placesOf(points, rule)));
        }),
      );
    },
  );
});

/** Periods with points, and periods that begin after a gap with another point than their newest, by stepping through all hours. */
function placesOf(points: readonly KeepPoint[], rule: PeriodRule): number {
  const sizes = new Map<string, number>();
  for (const { time } of points) sizes.set(nameOf(time, rule), (sizes.get(nameOf(time, rule)) ?? 0) + 1);
  let places = sizes.size;
  let before: string | undefined;
  let hour = points[0]?.time ?? 0;
  for (const name of sizes.keys()) {
    while (before !== undefined && nameOf(hour, rule) === before) hour += HOUR;
    if (before !== undefined && nameOf(hour, rule) !== name && sizes.get(name)! > 1) places++;
    while (nameOf(hour, rule) !== name) hour += HOUR;
    before = name;
  }
  return places;
}

function nameOf(time: number, rule: PeriodRule): string {
  const monday = time - ((new Date(time).getUTCDay() + 6) % 7) * DAY;
  const length = { hourly: 13, daily: 10, weekly: 10, monthly: 7, yearly: 4 }[rule];
  return new Date(rule === 'weekly' ? monday : time).toISOString().slice(0, length);
}
