import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { checkZone, localZone, zoneOf } from '../../src/policy/zone.ts';

function refusal(name: string): { message: string; hint: string | undefined } {
  try {
    checkZone(name);
  } catch (error) {
    if (isError(error, 'USAGE')) return { message: error.message, hint: error.hint };
  }
  throw new Error(`${name} was not refused with USAGE`);
}

describe('checkZone', () => {
  it('takes IANA names, and spells them as they are spelt', () => {
    expect(['Europe/Berlin', 'america/new_york', 'UTC'].map(checkZone)).toEqual([
      'Europe/Berlin',
      'America/New_York',
      'UTC',
    ]);
  });

  it.each(['', 'Europe/Atlantis', 'CEST', '../etc', 'Europe/Berlin\n'])('refuses %j, with examples', (name) => {
    const { message, hint } = refusal(name);
    expect(message).toBe(`unknown time zone: "${name}"`);
    expect(hint).toContain('as Europe/Berlin, America/New_York or UTC');
  });

  it('guesses the zone of a city', () => {
    expect(refusal('berlin').hint).toMatch(/^did you mean Europe\/Berlin\?/);
    expect(refusal('New York').hint).toMatch(/^did you mean America\/New_York\?/);
  });
});

describe('the zone of this machine', () => {
  const { TZ } = process.env;
  const localWith = (tz: string): string => {
    process.env.TZ = tz;
    try {
      return localZone();
    } finally {
      if (TZ === undefined) delete process.env.TZ;
      else process.env.TZ = TZ;
    }
  };

  it('is what TZ names', () => {
    for (const tz of ['Europe/Berlin', ':Europe/Berlin', '/usr/share/zoneinfo/Europe/Berlin'])
      expect(localWith(tz)).toBe('Europe/Berlin');
    for (const tz of ['UTC', 'UTC0', '']) expect(localWith(tz)).toBe('UTC');
  });

  it.each(['Foo/Bar', 'CET-1CEST,M3.5.0,M10.5.0/3', 'Berlin'])(
    'is refused where TZ is %s, which would count as UTC',
    (tz) => {
      expect(() => localWith(tz)).toThrow(
        expect.objectContaining({
          code: 'USAGE',
          message: `TZ names no known time zone: "${tz}"`,
          hint: expect.stringMatching(/--zone.*Europe\/Berlin/),
        }),
      );
    },
  );
});

describe('a zone', () => {
  it('knows when its clocks show a time: the first time of two, and later where it is skipped', () => {
    const berlin = zoneOf('Europe/Berlin');
    const shown = (local: string): string => new Date(berlin.instantOf(Date.parse(`${local}Z`))).toISOString();
    expect(shown('2026-07-01T12:00:00')).toBe('2026-07-01T10:00:00.000Z');
    expect(shown('2026-10-25T01:59:59.999')).toBe('2026-10-24T23:59:59.999Z');
    expect(shown('2026-10-25T02:30:00')).toBe('2026-10-25T00:30:00.000Z');
    expect(shown('2026-10-25T03:00:00')).toBe('2026-10-25T02:00:00.000Z');
    expect(shown('2026-03-29T02:30:00')).toBe('2026-03-29T01:30:00.000Z');
  });
});
