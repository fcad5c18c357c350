import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isError, type VhdvaultError } from '../../src/base/errors.ts';
import { durationText, parseDuration, timeBefore } from '../../src/policy/duration.ts';
import { zoneOf } from '../../src/policy/zone.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe('parseDuration', () => {
  it.each([
    ['30d', 0, 30 * DAY],
    ['24h', 0, DAY],
    ['0s', 0, 0],
    ['1y6mo', 18, 0],
    ['2w', 0, 14 * DAY],
    ['90min', 0, 1.5 * HOUR],
    ['1d12h', 0, 36 * HOUR],
    ['1y 2mo 3w 4d 5h 6min 7s 8ms', 14, 25 * DAY + 5 * HOUR + 367_008],
    [' 30 d ', 0, 30 * DAY],
    ['9999y', 9999 * 12, 0],
  ])('reads %j', (text, months, milliseconds) => {
    expect(parseDuration(text)).toEqual({ months, milliseconds });
  });

  const refused: [string, RegExp][] = [
    ['', /^write whole numbers with y/],
    ['  ', /^write whole numbers with y/],
    ['30', /^say of what: 30d are days/],
    ['-30d', /leave the minus out/],
    ['30m', /may be minutes or months/],
    ['1m30s', /may be minutes or months/],
    ['30M', /may be minutes or months/],
    ['1.5h', /^write whole/],
    ['12h1d', /the largest first/],
    ['1d1d', /^write whole/],
    ['d', /^write whole/],
    ['30days', /^write whole/],
    ['30d!', /^write whole/],
    ['٣d', /^write whole/],
    ['10000y', /the longest is 9999y/],
    ['3649636d', /the longest is 9999y, or 3649635d/],
    [`${'9'.repeat(400)}d`, /the longest is/],
    ['1e3d', /^write whole/],
  ];

  it.each(refused)('refuses %j, and tells the cure', (text, cure) => {
    const error = refusal(() => parseDuration(text));
    expect(error.message).toBe(`no duration: "${text}"`);
    expect(error.hint).toMatch(cure);
  });

  it('names the option that is wrong', () => {
    const error = refusal(() => parseDuration('x', '--keep-within'));
    expect(error.message).toBe('--keep-within is no duration: "x"');
    expect(error.details).toEqual({ option: '--keep-within', value: 'x' });
  });
});

describe('durationText', () => {
  it('tells a duration in the fewest units, weeks in days', () => {
    const texts = ['30d', '24h', '2w', '90min', '18mo', '0s', '1d12h', '1500ms'];
    expect(texts.map((text) => durationText(parseDuration(text)))).toEqual([
      ...['30d', '1d', '14d', '1h30min', '1y6mo', '0s', '1d12h', '1s500ms'],
    ]);
  });

  it('is read as the same again', () => {
    const durations = fc.record({ months: fc.nat(9999 * 12), milliseconds: fc.nat({ max: 9999 * 365 * DAY }) });
    fc.assert(
      fc.property(durations, (duration) => {
        expect(parseDuration(durationText(duration))).toEqual(duration);
      }),
    );
  });
});

describe('timeBefore', () => {
  const earlier = (time: string, duration: string, zone = 'Europe/Berlin'): string =>
    new Date(timeBefore(Date.parse(time), parseDuration(duration), zoneOf(zone))).toISOString();

  it.each([
    ['2026-03-31T12:00+02:00', '1mo', '2026-02-28T11:00:00.000Z'],
    ['2024-03-31T12:00+02:00', '1mo', '2024-02-29T11:00:00.000Z'],
    ['2024-02-29T12:00+01:00', '1y', '2023-02-28T11:00:00.000Z'],
    ['2026-01-31T12:00+01:00', '2mo', '2025-11-30T11:00:00.000Z'],
    ['2026-01-15T12:00+01:00', '13mo', '2024-12-15T11:00:00.000Z'],
    ['2026-12-01T00:30+01:00', '1mo', '2026-10-31T23:30:00.000Z'],
    ['2026-11-25T02:30+01:00', '1mo', '2026-10-25T00:30:00.000Z'],
    ['2026-04-29T02:30+02:00', '1mo', '2026-03-29T01:30:00.000Z'],
    ['2026-03-31T12:00+02:00', '1mo1d', '2026-02-27T11:00:00.000Z'],
    ['2026-03-30T12:00+02:00', '1d', '2026-03-29T10:00:00.000Z'],
    ['2026-03-29T12:00+02:00', '1d', '2026-03-28T10:00:00.000Z'],
  ])('of %s, %s earlier, is %s', (time, duration, expected) => {
    expect(earlier(time, duration)).toBe(expected);
  });

  it('goes on over a day that the date line took', () => {
    expect(earlier('2012-01-30T12:00+14:00', '1mo', 'Pacific/Apia')).toBe('2011-12-30T22:00:00.000Z');
  });

  it('reaches back before all years that clocks know', () => {
    expect(timeBefore(0, parseDuration('9999y'), zoneOf('Europe/Berlin'))).toBeLessThan(-3e14);
  });
});

function refusal(action: () => unknown): VhdvaultError {
  try {
    action();
  } catch (error) {
    if (isError(error, 'USAGE')) return error;
  }
  throw new Error('it was not refused with USAGE');
}
