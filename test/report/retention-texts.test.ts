import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { ForgetResult } from '../../src/jobs/forget-types.ts';
import type { PinResult } from '../../src/jobs/pin-types.ts';
import type { ProtectResult } from '../../src/jobs/protect-types.ts';
import { forgetText, unforgetText } from '../../src/report/forget-text.ts';
import { pinText } from '../../src/report/pin-text.ts';
import { pointsText } from '../../src/report/points-text.ts';
import { protectText } from '../../src/report/protect-text.ts';
import { shortPoint, shortPoints } from '../../src/report/short-name.ts';
import { plain, pointSummary } from './results.ts';

beforeAll(() => {
  process.env.TZ = 'Europe/Berlin';
});

const told = { warnings: [], notices: [] };
const oldPoint = { item: 'web01', point: 'p7e2d90aa55667788', time: '2026-11-20T09:00:00Z' };
const newPoint = { item: 'web01', point: 'p7e2d90ab00000000', time: '2026-11-22T09:00:00Z' };
const otherPoint = { item: 'db01', point: 'p9c1fa2b300112233', time: '2026-11-21T09:00:00Z' };
const plan: ForgetResult = {
  ...{ dryRun: true, gc: null, gcError: null, ...told },
  forgotten: [{ ...oldPoint, expires: null }],
  kept: [
    { ...otherPoint, reasons: ['latest', 'daily 2026-11-21'] },
    { ...newPoint, reasons: ['latest', 'daily 2026-11-22'] },
  ],
};
const done: ForgetResult = { ...plan, dryRun: false, forgotten: [{ ...oldPoint, expires: '2026-12-06T17:00:00Z' }] };

describe('forgetting', () => {
  test('without doing it is the whole plan, item by item, with the reasons', () => {
    expect(forgetText(plan, plain)).toMatchInlineSnapshot(`
      "item   point      time              plan    reasons
      db01   p9c1fa2b   2026-11-21 10:00  keep    latest, daily 2026-11-21
      web01  p7e2d90aa  2026-11-20 10:00  forget  no rule keeps it
      web01  p7e2d90ab  2026-11-22 10:00  keep    latest, daily 2026-11-22
      dry run: 1 point would be forgotten, 2 kept"
    `);
    const guarded = [{ ...newPoint, reasons: ['protected until 2026-12-22T09:00:00Z'] }];
    const text = forgetText({ ...plan, kept: guarded }, plain);
    expect(text).toContain('keep    protected until 2026-12-22 10:00\n');
    expect(forgetText({ ...plan, kept: guarded }, plain, 'Asia/Tokyo')).toContain('until 2026-12-22 18:00\n');
  });

  test('tells what was forgotten, and how and until when it can be brought back', () => {
    expect(forgetText(done, plain)).toMatchInlineSnapshot(`
      "item   point     time
      web01  p7e2d90a  2026-11-20 10:00
      1 point forgotten, 2 kept
      \`vhdvault unforget web01@p7e2d90aa55667788\` brings it back until 2026-12-06 18:00; after that, \`vhdvault gc\` gives it up, and a gc 24 h later frees what only it holds"
    `);
    const two = { ...done, kept: [], forgotten: [...done.forgotten, { ...otherPoint, expires: null }] };
    expect(forgetText(two, plain)).toMatchInlineSnapshot(`
      "item   point     time
      web01  p7e2d90a  2026-11-20 10:00
      db01   p9c1fa2b  2026-11-21 10:00
      2 points forgotten
      \`vhdvault unforget ITEM@ID...\` brings them back until 2026-12-06 18:00; after that, \`vhdvault gc\` gives them up, and a gc 24 h later frees what only they hold"
    `);
  });

  test('by the days of a zone tells times in it', () => {
    const lines = (result: ForgetResult): string[] => forgetText(result, plain, 'America/New_York').split('\n');
    expect(lines(plan).slice(0, 2)).toEqual([
      'item   point      time (America/New_York)  plan    reasons',
      'db01   p9c1fa2b   2026-11-21 04:00         keep    latest, daily 2026-11-21',
    ]);
    expect(lines(done)[1]).toBe('web01  p7e2d90a  2026-11-20 04:00');
  });

  test('with a gc that fails, or is cancelled, tells both', () => {
    const failed = { code: 'GC_BLOCKED', message: 'x cannot be read', hint: 'run y', details: {} } as const;
    const lines = (gcError: ForgetResult['gcError']): string[] =>
      forgetText({ ...done, gcError }, plain)
        .split('\n')
        .slice(2);
    expect(lines(failed)).toEqual([
      '1 point forgotten, 2 kept',
      expect.stringContaining('vhdvault unforget'),
      'vhdvault: the gc failed: x cannot be read [GC_BLOCKED]',
      'run y',
    ]);
    expect(lines({ ...failed, code: 'CANCELLED', hint: null }).slice(2)).toEqual([
      'vhdvault: the gc was cancelled [CANCELLED]',
      'run `vhdvault gc`: it goes on',
    ]);
  });

  test('nothing says so', () => {
    expect(forgetText({ ...done, forgotten: [] }, plain)).toBe('nothing to forget, 2 kept');
    const notices = ['web01@p7e2d90aa55667788 is forgotten already'];
    expect(forgetText({ ...done, forgotten: [], kept: [], notices }, plain)).toBe(
      'note: web01@p7e2d90aa55667788 is forgotten already\nnothing to forget',
    );
  });

  test('of points that are named tells no rule', () => {
    expect(forgetText({ ...plan, kept: [] }, plain).split('\n')[1]).toMatch(/forget {2}named$/);
  });

  test('is undone in a table of what came back', () => {
    expect(unforgetText({ unforgotten: [oldPoint], ...told }, plain)).toMatchInlineSnapshot(`
      "item   point     time
      web01  p7e2d90a  2026-11-20 10:00
      1 point brought back"
    `);
    expect(unforgetText({ unforgotten: [], warnings: [], notices: ['x'] }, plain)).toBe(
      'note: x\nnothing to bring back',
    );
  });
});

test('a pin is told with its end, and that a forgotten point stays forgotten', () => {
  const pinned: PinResult = { ...oldPoint, pinned: 'forever', before: null, forgotten: null, ...told };
  expect(pinText(pinned, plain)).toBe('web01@p7e2d90aa55667788 of 2026-11-20 10:00 is pinned forever');
  expect(pinText({ ...pinned, pinned: '2027-01-01T22:59:59.999Z' }, plain)).toMatch(
    /is pinned until 2027-01-01 23:59$/,
  );
  expect(pinText({ ...pinned, pinned: null }, plain)).toMatch(/is not pinned$/);
  expect(pinText({ ...pinned, forgotten: '2026-11-21T00:00:00Z' }, plain)).toMatchInlineSnapshot(`
    "web01@p7e2d90aa55667788 of 2026-11-20 10:00 is pinned forever
    it is forgotten still: gc does not free it while it is pinned; \`vhdvault unforget web01@p7e2d90aa55667788\` brings it back"
  `);
  expect(pinText({ ...pinned, pinned: null, forgotten: 'unknown' }, plain)).toContain('gc may free it');
});

test('a minimum retention is told with its age, its end, and what it holds back', () => {
  const result: ProtectResult = {
    ...{ minRetention: 30 * 86_400, since: '2026-11-22T17:00:00Z', lowerableFrom: '2026-12-22T17:00:00Z' },
    ...{ before: 86_400, points: 40, protected: 12, ...told },
  };
  expect(protectText(result, plain)).toMatchInlineSnapshot(`
    "minimum retention: 30 days (before: 1 day), since 2026-11-22 18:00; it can be lowered from 2026-12-22 18:00 on
    12 of 40 points cannot be forgotten yet"
  `);
  expect(protectText({ ...result, before: null, lowerableFrom: null, protected: 0, minRetention: 5400 }, plain)).toBe(
    'minimum retention: 1 h 30 min, since 2026-11-22 18:00; it can be lowered',
  );
  const none = { ...result, minRetention: 0, before: null, since: null, lowerableFrom: null, points: 1, protected: 1 };
  expect(protectText(none, plain)).toMatchInlineSnapshot(`
    "no minimum retention: new points can be forgotten at any age
    1 of 1 point cannot be forgotten yet"
  `);
});

describe('a list of points', () => {
  test('has columns for what is pinned or protected where any point is', () => {
    const pinned = { ...pointSummary, pinned: 'forever' };
    const isProtected = { ...pointSummary, pinned: '2027-01-01T22:59:59.999Z', protectedUntil: '2026-12-24T17:00:00Z' };
    const text = pointsText({ points: [pointSummary, pinned, isProtected], warnings: [] }, plain);
    expect(text.split('\n').map((line) => line.slice(81))).toMatchInlineSnapshot(`
      [
        "disks     pinned                  protected",
        "os, data",
        "os, data  forever",
        "os, data  until 2027-01-01 23:59  until 2026-12-24 18:00",
      ]
    `);
  });

  test('that were forgotten tells when, and until when they can be brought back at least', () => {
    const forgotten = { ...pointSummary, forgotten: '2026-11-22T17:00:00Z', expires: '2026-12-06T17:00:00Z' };
    const doubted = { ...pointSummary, forgotten: 'unknown' };
    const text = pointsText({ points: [forgotten, doubted], warnings: [] }, plain);
    expect(text.split('\n').map((line) => line.slice(81))).toMatchInlineSnapshot(`
      [
        "disks     forgotten         kept",
        "os, data  2026-11-22 18:00  until 2026-12-06 18:00",
        "os, data  unknown           for now",
      ]
    `);
    expect(pointsText({ points: [], warnings: [] }, plain, 'no forgotten points')).toBe('no forgotten points');
  });
});

test('ids of many points are shortened as each by itself', () => {
  const id = fc.string({ unit: fc.constantFrom('0', 'a'), minLength: 16, maxLength: 16 }).map((hex) => `p${hex}`);
  fc.assert(
    fc.property(fc.array(id, { maxLength: 12 }), (ids) => {
      const short = shortPoints(ids);
      for (const one of ids) expect(short(one)).toBe(shortPoint(one, ids));
    }),
  );
});
