import { describe, expect, it } from 'vitest';
import { forget } from '../../src/jobs/forget-job.ts';
import type { ForgetOptions, ForgetResult, WhatToForget } from '../../src/jobs/forget-types.ts';
import { pin } from '../../src/jobs/pin-job.ts';
import { points } from '../../src/jobs/points.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import type { ProtectResult } from '../../src/jobs/protect-types.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { DAY, HOUR, manifestOf, START, type TimedVault, timedVault } from '../support/timed-vault.ts';

const folder = tempFolder({ inMemory: true });
const KEEP_ONE: WhatToForget = { rules: { last: 1 } };
const newVault = (): Promise<TimedVault> => timedVault(folder.fresh('vault'));
const set = (vault: TimedVault, minRetention: string): Promise<ProtectResult> =>
  vault.within((session) => protect(session, { minRetention }));
const told = (vault: TimedVault): Promise<ProtectResult> => vault.within((session) => protect(session));
const forgetIn = (vault: TimedVault, what: WhatToForget, options?: ForgetOptions): Promise<ForgetResult> =>
  vault.within((session) => forget(session, what, options));
const iso = (time: number): string => new Date(time).toISOString();
const protections = (vault: TimedVault): Promise<(string | null)[]> =>
  vault.within(async (session) => (await points(session)).points.map(({ protectedUntil }) => protectedUntil));

describe('a minimum retention', () => {
  it('holds for points that are there and those to come, each for its own age', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    expect(await set(vault, '30d')).toMatchObject({ minRetention: 30 * 86_400, before: 0, points: 2, protected: 2 });
    await vault.addPoint('web01');
    const until = iso(START + 30 * DAY);
    expect(await protections(vault)).toEqual([until, iso(START + 31 * DAY), iso(START + 31 * DAY + 1000)]);
    for (const force of [false, true])
      await expect(forgetIn(vault, { refs: [first] }, { force })).rejects.toMatchObject({
        code: 'POINT_PROTECTED',
        message: `${first} is protected until 2026-01-31T12:00:00Z`,
        details: { until },
      });
    vault.time = START + 30 * DAY - 1;
    const early = await forgetIn(vault, KEEP_ONE);
    expect(early.forgotten).toEqual([]);
    expect(early.kept.map(({ reasons }) => reasons[0])).toEqual([
      'protected until 2026-01-31T12:00:00Z',
      'protected until 2026-02-01T12:00:00Z',
      'latest',
    ]);
    vault.time++;
    expect((await forgetIn(vault, KEEP_ONE)).forgotten).toMatchObject([{ item: 'web01' }]);
    expect(await protections(vault)).toHaveLength(2);
  });

  it('can be raised at any time, and lowered only when it has run out', async () => {
    const vault = await newVault();
    await set(vault, '10d');
    vault.time += DAY;
    expect(await set(vault, '30d')).toMatchObject({ before: 10 * 86_400, lowerableFrom: iso(START + 31 * DAY) });
    vault.time = START + 31 * DAY - 1;
    for (const lower of ['29d23h', '0s'])
      await expect(set(vault, lower)).rejects.toMatchObject({
        code: 'MIN_RETENTION',
        message: `a minimum retention of 30d is in force since ${iso(START + DAY)}, until ${iso(START + 31 * DAY)}`,
        hint: expect.stringContaining('wait until then'),
      });
    vault.time++;
    expect(await told(vault)).toMatchObject({ minRetention: 30 * 86_400, lowerableFrom: null });
    expect(await set(vault, '1d')).toMatchObject({ minRetention: 86_400, lowerableFrom: iso(START + 32 * DAY) });
  });

  it('that is set again counts from then on', async () => {
    const vault = await newVault();
    await set(vault, '10d');
    vault.time += 9 * DAY;
    expect(await set(vault, '240h')).toMatchObject({
      since: iso(START + 9 * DAY),
      lowerableFrom: iso(START + 19 * DAY),
    });
  });

  it('that was lowered still holds for points that were made under it', async () => {
    const vault = await newVault();
    await set(vault, '10d');
    vault.time = START + 9 * DAY;
    await vault.addPoint('web01');
    vault.time = START + 10 * DAY;
    expect(await set(vault, '0s')).toMatchObject({ minRetention: 0, lowerableFrom: null, points: 1, protected: 1 });
    await vault.addPoint('web01');
    expect(await protections(vault)).toEqual([iso(START + 19 * DAY + 1000), null]);
  });

  it('of nothing is told where none is in force, and is no entry', async () => {
    const vault = await newVault();
    const nothing = { minRetention: 0, since: null, lowerableFrom: null, points: 0, protected: 0 };
    expect(await told(vault)).toEqual({ ...nothing, before: null, warnings: [], notices: [] });
    const { notices } = await set(vault, '0s');
    expect(notices).toEqual(['no minimum retention was in force']);
    expect(await vault.bench.store.list('log')).toHaveLength(1);
  });

  it.each(['', '30', '-1d', 'soon', '1mo', '1y'])('is not %j', async (text) => {
    await expect(set(await newVault(), text)).rejects.toMatchObject({ code: 'USAGE', hint: expect.any(String) });
  });
});

describe('a clock that is doubted', () => {
  /** Sees the vault now, and once more when its clock has moved so far. */
  async function moved(
    vault: TimedVault,
    by: number,
    work: (session: VaultSession) => Promise<unknown>,
  ): Promise<unknown> {
    const seen: SessionOptions = { state: folder.fresh('state') };
    await (await vault.open(seen))[Symbol.asyncDispose]();
    vault.time += by;
    await using session = await vault.open(seen);
    expect(session.clockDoubt !== undefined).toBe(Math.abs(by) > DAY);
    return await work(session).catch((error: unknown) => error);
  }

  it.each([40 * DAY, -40 * DAY, 25 * HOUR, -25 * HOUR])(
    'by %i ms stops forget and protect, until it is accepted',
    async (by) => {
      const vault = await newVault();
      const refs = await vault.dailyPoints('web01', 2);
      await moved(vault, by, async (session) => {
        const refused = { code: 'CLOCK_DOUBTED', hint: expect.stringContaining('--accept-clock') };
        await expect(forget(session, KEEP_ONE)).rejects.toMatchObject(refused);
        await expect(protect(session, { minRetention: '1d' })).rejects.toMatchObject(refused);
        const plan = await forget(session, KEEP_ONE, { dryRun: true });
        expect([plan.forgotten.length, plan.notices]).toEqual([1, [expect.stringContaining('--accept-clock')]]);
        expect(await protect(session)).toMatchObject({ minRetention: 0 });
        const { forgotten } = await forget(session, KEEP_ONE, { acceptClock: true });
        expect(forgotten).toMatchObject([{ expires: null }]);
        expect(`web01@${forgotten[0]?.point}`).toBe(refs[0]);
      });
    },
  );

  it('by less than a day stops nothing', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 3);
    const result = await moved(vault, 23 * HOUR, (session) => forget(session, { rules: { last: 2 } }));
    expect(result).toMatchObject({ forgotten: [{}] });
    expect(await moved(vault, -23 * HOUR, (session) => forget(session, KEEP_ONE))).toMatchObject({ forgotten: [{}] });
  });

  it('makes no point older, though it was accepted: what is protected stays', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    await set(vault, '30d');
    const accepted = { acceptClock: true };
    const { time } = vault;
    const jumped = (by: number, work: (session: VaultSession) => Promise<unknown>): Promise<unknown> => {
      vault.time = time;
      return moved(vault, by, work);
    };
    for (const by of [400 * DAY, -400 * DAY]) {
      expect(await jumped(by, (session) => forget(session, { refs: [first] }, accepted))).toMatchObject({
        code: 'POINT_PROTECTED',
        details: { until: iso(START + 30 * DAY) },
      });
      expect(await jumped(by, (session) => forget(session, KEEP_ONE, accepted))).toMatchObject({
        forgotten: [],
        kept: [{ reasons: ['protected until 2026-01-31T12:00:00Z'] }, {}],
      });
      expect(await jumped(by, (session) => protect(session, { minRetention: '1d', ...accepted }))).toMatchObject({
        code: 'MIN_RETENTION',
      });
    }
  });

  it('when points were forgotten is known from the next entry on whose clock is not', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 2);
    const listed = (): Promise<unknown[]> =>
      vault.within(async (session) =>
        (await points(session, undefined, { forgotten: true })).points.map((point) => [point.forgotten, point.expires]),
      );
    await moved(vault, 40 * DAY, (session) => forget(session, KEEP_ONE, { acceptClock: true }));
    vault.time = START + DAY + HOUR;
    expect(await listed()).toEqual([['unknown', null]]);
    await vault.addPoint('web01');
    expect(await listed()).toEqual([[iso(vault.time), iso(vault.time + 14 * DAY)]]);
  });

  it('a point that it made counts as made now, and takes no place from older ones', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 3);
    await moved(vault, 400 * DAY, async (session) => {
      const manifest = manifestOf('web01');
      const point = '77'.repeat(8);
      await session.vault.commit(() => ({ type: 'point', point, adds: [], manifest }));
    });
    vault.time = START + 3 * DAY;
    const { forgotten, kept } = await forgetIn(vault, { rules: { within: '2d' } });
    expect([forgotten.length, kept.length]).toEqual([1, 3]);
  });

  it('stops neither pins nor bringing back, which lose nothing, and is not forgotten over them', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    await forgetIn(vault, KEEP_ONE);
    const seen: SessionOptions = { state: folder.fresh('state') };
    await (await vault.open(seen))[Symbol.asyncDispose]();
    vault.time += 40 * DAY;
    {
      await using session = await vault.open(seen);
      expect((await unforget(session, [first])).unforgotten).toHaveLength(1);
      expect(await pin(session, first)).toMatchObject({ pinned: 'forever' });
    }
    await using session = await vault.open(seen);
    await expect(forget(session, KEEP_ONE)).rejects.toMatchObject({ code: 'CLOCK_DOUBTED' });
    await forget(session, KEEP_ONE, { acceptClock: true });
  });
});
