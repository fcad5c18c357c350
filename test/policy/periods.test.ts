import { describe, expect, it } from 'vitest';
import { PERIOD_RULES, type PeriodRule, type Periods, periodsIn } from '../../src/policy/periods.ts';
import { zoneOf } from '../../src/policy/zone.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function periodAt(zoneName: string, rule: PeriodRule, instant: number | string): { periods: Periods; period: number } {
  const zone = zoneOf(zoneName);
  const periods = periodsIn(zone)[rule];
  const time = typeof instant === 'string' ? Date.parse(instant) : instant;
  return { periods, period: periods.of({ time, local: time + zone.offsetAt(time) }) };
}

function nameAt(zoneName: string, rule: PeriodRule, instant: number | string): string {
  const { periods, period } = periodAt(zoneName, rule, instant);
  return periods.text(period);
}

/** The periods that the minutes of some hours fall into, in their order, with the minutes of each. */
function walk(zoneName: string, rule: PeriodRule, from: string, hours: number): [string, number][] {
  const zone = zoneOf(zoneName);
  const periods = periodsIn(zone)[rule];
  const found: { period: number; minutes: number }[] = [];
  for (let minute = 0; minute < hours * 60; minute++) {
    const time = Date.parse(from) + minute * MINUTE;
    const period = periods.of({ time, local: time + zone.offsetAt(time) });
    const last = found.at(-1);
    if (last?.period === period) last.minutes++;
    else found.push({ period, minutes: 1 });
  }
  return found.map(({ period, minutes }) => [periods.text(period), minutes]);
}

describe('hours', () => {
  it('that come twice in autumn are two', () => {
    expect(walk('Europe/Berlin', 'hourly', '2026-10-25T00:00Z', 3)).toEqual([
      ['2026-10-25 02:00+02:00', 60],
      ['2026-10-25 02:00+01:00', 60],
      ['2026-10-25 03:00+01:00', 60],
    ]);
    expect(walk('America/New_York', 'hourly', '2026-11-01T05:00Z', 2)).toEqual([
      ['2026-11-01 01:00-04:00', 60],
      ['2026-11-01 01:00-05:00', 60],
    ]);
  });

  it('that are skipped in spring are none', () => {
    expect(walk('Europe/Berlin', 'hourly', '2026-03-29T00:00Z', 2)).toEqual([
      ['2026-03-29 01:00+01:00', 60],
      ['2026-03-29 03:00+02:00', 60],
    ]);
    expect(walk('America/New_York', 'hourly', '2026-03-08T06:00Z', 2).map(([name]) => name)).toEqual([
      '2026-03-08 01:00-05:00',
      '2026-03-08 03:00-04:00',
    ]);
  });

  it('are cut where clocks are moved by half an hour', () => {
    expect(walk('Australia/Lord_Howe', 'hourly', '2026-04-04T14:00Z', 2.5)).toEqual([
      ['2026-04-05 01:00+11:00', 60],
      ['2026-04-05 01:00+10:30', 30],
      ['2026-04-05 02:00+10:30', 60],
    ]);
    expect(walk('Australia/Lord_Howe', 'hourly', '2026-10-03T14:30Z', 2.5)).toEqual([
      ['2026-10-04 01:00+10:30', 60],
      ['2026-10-04 02:00+11:00', 30],
      ['2026-10-04 03:00+11:00', 60],
    ]);
  });

  it('begin at the half hour of UTC in zones of half hours, and east of UTC with its sign', () => {
    expect(nameAt('Asia/Kolkata', 'hourly', '2026-11-20T08:29:59.999Z')).toBe('2026-11-20 13:00+05:30');
    expect(nameAt('Asia/Kolkata', 'hourly', '2026-11-20T08:30Z')).toBe('2026-11-20 14:00+05:30');
    expect(nameAt('Asia/Kathmandu', 'hourly', '2026-11-20T08:15Z')).toBe('2026-11-20 14:00+05:45');
    expect(nameAt('America/St_Johns', 'hourly', '2026-11-20T08:30Z')).toBe('2026-11-20 05:00-03:30');
    expect(nameAt('UTC', 'hourly', '1969-12-31T23:59:59.999Z')).toBe('1969-12-31 23:00+00:00');
    expect(nameAt('Africa/Monrovia', 'hourly', '1971-06-01T12:44:30Z')).toBe('1971-06-01 12:00-00:44:30');
  });
});

describe('days', () => {
  it('have 23, 24 or 25 hours', () => {
    expect(walk('Europe/Berlin', 'daily', '2026-03-28T23:00Z', 24)).toEqual([
      ['2026-03-29', 23 * 60],
      ['2026-03-30', 60],
    ]);
    expect(walk('Europe/Berlin', 'daily', '2026-10-24T22:00Z', 26)).toEqual([
      ['2026-10-25', 25 * 60],
      ['2026-10-26', 60],
    ]);
    expect(walk('Australia/Lord_Howe', 'daily', '2026-04-04T13:00Z', 25)[0]).toEqual(['2026-04-05', 24.5 * 60]);
  });

  it('are those of the zone', () => {
    expect(nameAt('Pacific/Kiritimati', 'daily', '2026-11-20T10:00Z')).toBe('2026-11-21');
    expect(nameAt('Pacific/Niue', 'daily', '2026-11-20T10:00Z')).toBe('2026-11-19');
    expect(nameAt('Asia/Kathmandu', 'yearly', '2025-12-31T18:15Z')).toBe('2026');
  });

  it('that the date line took are none, and the days around are neighbours', () => {
    expect(walk('Pacific/Apia', 'daily', '2011-12-29T10:00Z', 48)).toEqual([
      ['2011-12-29', 24 * 60],
      ['2011-12-31', 24 * 60],
    ]);
    const { periods, period } = periodAt('Pacific/Apia', 'daily', '2011-12-31T00:00Z');
    expect(periods.text(period)).toBe('2011-12-31');
    expect(periods.text(periods.before(period))).toBe('2011-12-29');
    expect(periods.after(periods.before(period))).toBe(period);
    expect(walk('Pacific/Apia', 'hourly', '2011-12-30T09:00Z', 2).map(([name]) => name)).toEqual([
      '2011-12-29 23:00-10:00',
      '2011-12-31 00:00+14:00',
    ]);
  });
});

describe('weeks', () => {
  it.each([
    ['2020-12-31', '2020-W53'],
    ['2021-01-03', '2020-W53'],
    ['2021-01-04', '2021-W01'],
    ['2025-12-28', '2025-W52'],
    ['2025-12-29', '2026-W01'],
    ['2026-12-31', '2026-W53'],
    ['2027-01-01', '2026-W53'],
    ['2027-01-03', '2026-W53'],
    ['2027-01-04', '2027-W01'],
    ['1970-01-01', '1970-W01'],
    ['1969-12-28', '1969-W52'],
    ['2024-12-30', '2025-W01'],
  ])('are those of ISO 8601: %s is in %s', (day, week) => {
    expect(nameAt('UTC', 'weekly', `${day}T00:00Z`)).toBe(week);
    expect(nameAt('UTC', 'weekly', `${day}T23:59:59.999Z`)).toBe(week);
  });

  it('begin on Monday, in the zone', () => {
    expect(nameAt('Europe/Berlin', 'weekly', '2026-11-15T22:59Z')).toBe('2026-W46');
    expect(nameAt('Europe/Berlin', 'weekly', '2026-11-15T23:00Z')).toBe('2026-W47');
  });
});

describe('the periods of a zone', () => {
  const changes: [string, string][] = [
    ['Europe/Berlin', '2026-03-29T01:00Z'],
    ['Europe/Berlin', '2026-10-25T01:00Z'],
    ['America/New_York', '2026-11-01T06:00Z'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z'],
    ['Pacific/Apia', '2011-12-30T10:00Z'],
    ['America/Sao_Paulo', '2018-11-04T03:00Z'], // no midnight
    ['America/Havana', '2026-11-01T05:00Z'], // midnight twice
    ['America/Caracas', '2007-12-09T07:00Z'], // half an hour back, at half past
  ];

  it.each(changes)('follow each other, forth and back, in %s around %s', (zone, change) => {
    const from = new Date(Date.parse(change) - 5 * HOUR).toISOString();
    for (const rule of PERIOD_RULES) {
      const names = walk(zone, rule, from, 10).map(([name]) => name);
      let { periods, period } = periodAt(zone, rule, from);
      for (const name of names) {
        expect(periods.text(period)).toBe(name);
        expect(periods.before(periods.after(period))).toBe(period);
        expect(periods.after(period)).toBeGreaterThan(period);
        period = periods.after(period);
      }
      expect(new Set(names).size).toBe(names.length);
    }
  });

  it('keep hours apart where clocks were moved at one minute past midnight', () => {
    const hours = walk('America/St_Johns', 'hourly', '2010-11-07T01:30Z', 3);
    expect(hours).toEqual([
      ['2010-11-06 23:00-02:30', 60],
      ['2010-11-07 00:00-02:30', 1],
      ['2010-11-06 23:00-03:30', 59],
      ['2010-11-07 00:00-03:30', 60],
    ]);
    const { periods, period } = periodAt('America/St_Johns', 'hourly', '2010-11-07T01:30Z');
    const following = [period];
    while (following.length < hours.length) following.push(periods.after(following.at(-1) as number));
    expect(following.map(periods.text)).toEqual(hours.map(([name]) => name));
    expect(following.slice(1).map(periods.before)).toEqual(following.slice(0, -1));
  });
});
