import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { parseDuration } from '../../src/policy/duration.ts';
import { hasRule, type KeepPoint, type KeepRules, planKeep } from '../../src/policy/keep-rules.ts';

type Rules = Omit<KeepRules, 'zone'>;
const BERLIN = 'Europe/Berlin';

/** Points of these instants, in the order of the log; each is called after its place, from p1. */
function pointsAt(...times: readonly string[]): KeepPoint[] {
  return times.map((text, n) => ({ id: `p${n + 1}`, time: Date.parse(text), sequence: 10 * n, pinned: false }));
}

/** A point at noon of each of these days of November 2026, in Berlin. */
function novemberDays(...days: readonly number[]): KeepPoint[] {
  return pointsAt(...days.map((day) => `2026-11-${String(day).padStart(2, '0')}T12:00+01:00`));
}

function keptBy(points: readonly KeepPoint[], rules: Rules, zone = BERLIN): Record<string, readonly string[]> {
  return Object.fromEntries(planKeep(points, { ...rules, zone }).kept.map(({ point, reasons }) => [point, reasons]));
}

describe('planKeep', () => {
  it('keeps everything where there is no rule, a count of 0 being none', () => {
    const rules = { last: 0, daily: 0, zone: BERLIN };
    const none = { point: 'p1', reasons: ['no rule'] };
    expect(hasRule(rules)).toBe(false);
    expect(planKeep(novemberDays(1, 2), rules)).toEqual({
      kept: [none, { point: 'p2', reasons: ['latest', 'no rule'] }],
      forgotten: [],
    });
    expect(planKeep([], { daily: 1, zone: BERLIN })).toEqual({ kept: [], forgotten: [] });
  });

  it.each([{ last: 1 }, { hourly: 1 }, { yearly: 1 }, { within: parseDuration('0s') }])(
    'takes %j for a rule',
    (rule) => {
      expect(hasRule({ ...rule, zone: BERLIN })).toBe(true);
      expect(planKeep(novemberDays(1, 2), { ...rule, zone: BERLIN }).forgotten).toEqual(['p1']);
    },
  );

  it('keeps the latest point and pinned ones, whatever the rules say, and forgets the rest in the order of the log', () => {
    const points = novemberDays(1, 2, 3, 4).map((point) => ({ ...point, pinned: point.id === 'p2' }));
    expect(planKeep(points, { last: 1, zone: BERLIN })).toEqual({
      kept: [
        { point: 'p2', reasons: ['pinned'] },
        { point: 'p4', reasons: ['latest', 'last 1'] },
      ],
      forgotten: ['p1', 'p3'],
    });
  });

  it('keeps what any rule keeps, and tells all reasons', () => {
    const times = [
      '2025-12-31T23:30+01:00',
      '2026-11-19T12:00+01:00',
      '2026-11-20T13:59+01:00',
      '2026-11-20T14:59+01:00',
    ];
    const rules = { last: 2, within: parseDuration('90min'), hourly: 1, daily: 2, weekly: 1, monthly: 1, yearly: 1 };
    expect(keptBy(pointsAt(...times), rules)).toEqual({
      p2: ['daily 2026-11-19'],
      p3: ['last 2', 'within 1h30min'],
      p4: [
        ...['latest', 'last 2', 'within 1h30min', 'hourly 2026-11-20 14:00+01:00', 'daily 2026-11-20'],
        ...['weekly 2026-W47', 'monthly 2026-11', 'yearly 2026'],
      ],
    });
  });

  it('takes the newest point of a day for the day, and days without points are none of the N', () => {
    const times = [
      '2026-11-17T09:00Z',
      '2026-11-18T09:00Z',
      '2026-11-19T09:00Z',
      '2026-11-19T10:00Z',
      '2026-11-20T09:00Z',
    ];
    expect(keptBy(pointsAt(...times), { daily: 3 })).toEqual({
      p2: ['daily 2026-11-18'],
      p4: ['daily 2026-11-19'],
      p5: ['latest', 'daily 2026-11-20'],
    });
  });

  it('goes by the log, not by the clock: a clock that went back hides no point', () => {
    const times = [
      '2026-11-18T09:00Z',
      '2099-01-01T09:00Z',
      '2026-11-19T09:00Z',
      '2026-11-20T22:50Z',
      '2026-11-20T22:40Z',
    ];
    expect(keptBy(pointsAt(...times), { daily: 5 })).toEqual({
      p1: ['daily 2026-11-18'],
      p2: ['daily 2099-01-01'],
      p3: ['daily 2026-11-19'],
      p5: ['latest', 'daily 2026-11-20'],
    });
    expect(keptBy(pointsAt(...times), { daily: 2 })).toEqual({
      p3: ['daily 2026-11-19'],
      p5: ['latest', 'daily 2026-11-20'],
    });
  });

  it('survives any clock', () => {
    const times = [0, -1e15, 9e15, Number.MAX_SAFE_INTEGER, 8.64e15, 1];
    const points = times.map((time, n) => ({ id: `p${n}`, time, sequence: n, pinned: false }));
    const rules = { hourly: 9, daily: 9, weekly: 9, monthly: 9, yearly: 9, within: parseDuration('9999y') };
    for (const zone of [BERLIN, 'Pacific/Apia'])
      expect(planKeep(points, { ...rules, zone }).kept).toHaveLength(times.length);
  });

  it.each([-1, 1.5, Number.NaN])('refuses to keep %s points', (count) => {
    const refused = (): unknown => planKeep([], { weekly: count, zone: BERLIN });
    expect(refused).toThrow(`the weekly rule cannot keep ${count} points`);
  });

  it.each([
    { months: 0, milliseconds: -1 },
    { months: -1, milliseconds: 0 },
    { months: 0, milliseconds: Number.NaN },
  ])('refuses to keep points within %j', (within) => {
    expect(() => planKeep([], { within, zone: BERLIN })).toThrow('the within rule cannot keep');
  });

  it('refuses an unknown zone', () => {
    let error: unknown;
    try {
      planKeep([], { last: 1, zone: 'Europe/Atlantis' });
    } catch (thrown) {
      error = thrown;
    }
    expect(isError(error, 'USAGE')).toBe(true);
  });

  it('plans 10,000 points with gaps of ages without walking through them', { timeout: 10_000 }, () => {
    const points = Array.from({ length: 10_000 }, (_, n) => {
      const time = n * 3_700_000 + (n >= 5000 ? Date.UTC(9000, 0) : 0);
      return { id: `p${n}`, time, sequence: n, pinned: false };
    });
    const { kept } = planKeep(points, { hourly: 9000, daily: 9000, monthly: 9000, zone: BERLIN });
    expect(kept.length).toBeGreaterThanOrEqual(9000);
    expect(kept.find(({ point }) => point === 'p5000')?.reasons).toContainEqual(
      expect.stringMatching(/^monthly 9000-\d\d \(inherited: no point from 1970-\d\d to 9000-\d\d\)$/),
    );
  });
});

describe('the rule within', () => {
  it('counts from the latest point, so that an item whose backups have stopped loses nothing', () => {
    const points = pointsAt('2001-01-01T11:59:59.999Z', '2001-01-01T12:00Z', '2001-01-02T12:00Z');
    expect(keptBy(points, { within: parseDuration('1d') })).toEqual({
      p2: ['within 1d'],
      p3: ['latest', 'within 1d'],
    });
  });

  it('counts months in the calendar of the zone', () => {
    const points = pointsAt('2026-02-28T10:59Z', '2026-02-28T11:00Z', '2026-03-31T10:00Z');
    expect(Object.keys(keptBy(points, { within: parseDuration('1mo') }))).toEqual(['p2', 'p3']);
  });

  it('means the point that is last in the log, not the one with the greatest time', () => {
    const points = pointsAt('2026-11-18T12:00Z', '2099-01-01T00:00Z', '2026-11-20T12:00Z');
    expect(Object.keys(keptBy(points, { within: parseDuration('1d') }))).toEqual(['p2', 'p3']);
  });
});

describe('a place that no point took', () => {
  it('is inherited by the first point after it, and counts', () => {
    const times = [
      '2026-10-30T12:00Z',
      '2026-11-10T12:00Z',
      '2026-11-11T12:00Z',
      '2026-11-12T12:00Z',
      '2026-11-16T12:00Z',
    ];
    expect(keptBy(pointsAt(...times), { weekly: 4 })).toEqual({
      p1: ['weekly 2026-W44'],
      p2: ['weekly 2026-W45 (inherited: no point that week)'],
      p4: ['weekly 2026-W46'],
      p5: ['latest', 'weekly 2026-W47'],
    });
  });

  it('is only a reason more where that point is kept by the rule already, and does not count twice', () => {
    expect(keptBy(novemberDays(1, 2, 4, 5), { daily: 4 })).toEqual({
      p1: ['daily 2026-11-01'],
      p2: ['daily 2026-11-02'],
      p3: ['daily 2026-11-04', 'daily 2026-11-03 (inherited: no point that day)'],
      p4: ['latest', 'daily 2026-11-05'],
    });
  });

  it('is one place, however long the gap: after an outage the rule still keeps its number of points', () => {
    const today = ['2026-11-20T08:00Z', '2026-11-20T12:00Z', '2026-11-20T16:00Z'];
    const points = pointsAt('2026-10-01T12:00Z', '2026-10-02T12:00Z', '2026-10-03T12:00Z', ...today);
    expect(keptBy(points, { daily: 4 })).toEqual({
      p2: ['daily 2026-10-02'],
      p3: ['daily 2026-10-03'],
      p4: ['daily 2026-11-19 (inherited: no point from 2026-10-04 to 2026-11-19)'],
      p6: ['latest', 'daily 2026-11-20'],
    });
  });

  it('goes to the period before the gap when it is the last place', () => {
    const points = pointsAt('2026-11-01T12:00Z', '2026-11-03T12:00Z', '2026-11-03T13:00Z');
    expect(keptBy(points, { daily: 2 })).toEqual({
      p1: ['daily 2026-11-01'],
      p3: ['latest', 'daily 2026-11-03'],
    });
  });

  it('is told by the hour, month and year too', () => {
    const points = pointsAt('2023-01-01T12:00Z', '2026-11-20T12:10Z', '2026-11-20T14:10Z', '2026-11-20T14:20Z');
    const reasons = keptBy(points, { hourly: 5, monthly: 5, yearly: 5 });
    expect(reasons.p2).toEqual([
      'hourly 2026-11-20 13:00+01:00',
      'hourly 2026-11-20 12:00+01:00 (inherited: no point from 2023-01-01 14:00+01:00 to 2026-11-20 12:00+01:00)',
      'monthly 2026-10 (inherited: no point from 2023-02 to 2026-10)',
      'yearly 2025 (inherited: no point from 2024 to 2025)',
    ]);
    expect(reasons.p3).toEqual(['hourly 2026-11-20 14:00+01:00 (inherited: no point that hour)']);
  });

  it('is not seen where the clock went back', () => {
    const points = pointsAt('2026-11-20T12:00Z', '2026-11-10T12:00Z', '2026-11-10T13:00Z');
    expect(keptBy(points, { daily: 3 })).toEqual({
      p1: ['daily 2026-11-20'],
      p3: ['latest', 'daily 2026-11-10'],
    });
  });
});
