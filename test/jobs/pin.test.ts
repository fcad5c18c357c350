import { describe, expect, it } from 'vitest';
import { forget } from '../../src/jobs/forget-job.ts';
import type { ForgetOptions, ForgetResult, WhatToForget } from '../../src/jobs/forget-types.ts';
import { pin, unpin } from '../../src/jobs/pin-job.ts';
import { points } from '../../src/jobs/points.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { beforeEntry, idOf, type TimedVault, timedVault } from '../support/timed-vault.ts';

const folder = tempFolder({ inMemory: true });
const KEEP_ONE = { rules: { last: 1 } };
const newVault = (): Promise<TimedVault> => timedVault(folder.fresh('vault'));
const forgetIn = (vault: TimedVault, what: WhatToForget, options?: ForgetOptions): Promise<ForgetResult> =>
  vault.within((session) => forget(session, what, options));
const named = ({ forgotten }: ForgetResult): string[] => forgotten.map(({ item, point }) => `${item}@${point}`);
const everyEntry = (vault: TimedVault): Promise<string[]> => vault.bench.store.list('log');

describe('a pinned point', () => {
  it('is forgotten neither by rules nor by name, until it is unpinned or its time has come', async () => {
    const vault = await newVault();
    const [first = '', second = ''] = await vault.dailyPoints('web01', 3);
    await vault.within((session) => pin(session, first));
    await vault.within((session) => pin(session, second, { until: '2026-02-01T00:00:00.000Z' }));
    const { kept } = await forgetIn(vault, KEEP_ONE);
    expect(kept.map(({ reasons }) => reasons)).toEqual([['pinned'], ['pinned'], ['latest', 'last 1']]);
    for (const ref of [first, second])
      await expect(forgetIn(vault, { refs: [ref] }, { force: true })).rejects.toMatchObject({
        code: 'POINT_PINNED',
        hint: expect.stringContaining(`vhdvault unpin ${ref}`),
      });
    vault.time = Date.UTC(2026, 1, 1);
    expect(named(await forgetIn(vault, KEEP_ONE))).toEqual([second]);
    await vault.within((session) => unpin(session, first));
    expect(named(await forgetIn(vault, { refs: [first] }))).toEqual([first]);
  });

  it('is looked up in the vault as it is now, not as it was when it was opened', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 1);
    await using session = await vault.open();
    const ref = await vault.addPoint('web01');
    const { item, point } = await pin(session, 'web01');
    expect(`${item}@${point}`).toBe(ref);
  });

  it('is told by listings, as long as it is', async () => {
    const vault = await newVault();
    const refs = await vault.dailyPoints('web01', 2);
    await vault.within((session) => pin(session, refs[0]!));
    const until = '2026-02-01T00:00:00.000Z';
    const result = await vault.within((session) => pin(session, refs[1]!, { until }));
    expect(result).toMatchObject({ pinned: until, before: null, forgotten: null });
    const pins = async (): Promise<unknown[]> =>
      (await vault.within((session) => points(session))).points.map(({ pinned }) => pinned);
    expect(await pins()).toEqual(['forever', until]);
    vault.time = Date.parse(until);
    expect(await pins()).toEqual(['forever', null]);
  });

  it('pinned again has the new time; what changes nothing is told, and is no entry', async () => {
    const vault = await newVault();
    const ref = await vault.addPoint('web01');
    const set = (until?: string): ReturnType<typeof pin> =>
      vault.within((session) => pin(session, ref, until === undefined ? {} : { until }));
    await set('2027-01-01T00:00Z');
    const { pinned, before } = await set('2026-06-01T00:00:00Z');
    expect([pinned, before]).toEqual(['2026-06-01T00:00:00.999Z', '2027-01-01T00:00:59.999Z']);
    const entries = (await everyEntry(vault)).length;
    expect((await set('2026-06-01T00:00:00Z')).notices).toEqual([`${ref} is pinned so already`]);
    expect((await set()).pinned).toBe('forever');
    expect(await vault.within((session) => unpin(session, ref))).toMatchObject({ pinned: null, notices: [] });
    const told = await vault.within((session) => unpin(session, ref));
    expect(told.notices).toEqual([`${ref} was not pinned`]);
    expect(await everyEntry(vault)).toHaveLength(entries + 2);
  });

  it('that is forgotten is pinned by its id, and stays forgotten', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    await forgetIn(vault, { refs: [first] });
    const until = '2026-03-01T00:00:00.000Z';
    const result = await vault.within((session) => pin(session, first, { until }));
    expect(result).toMatchObject({ pinned: until, forgotten: expect.stringMatching(/^2026-01-02/) });
    const listed = await vault.within((session) => points(session, 'web01', { forgotten: true }));
    expect(listed.points).toMatchObject([{ pinned: until, expires: until }]);
    await vault.within((session) => pin(session, first));
    expect((await vault.within((session) => points(session, 'web01', { forgotten: true }))).points).toMatchObject([
      { pinned: 'forever', expires: null },
    ]);
  });

  it.each(['2025-01-01', '2026-01-01T11:59Z', 'tomorrow', '2026-13-01', ''])(
    'is not pinned until %j, which is no time to come',
    async (until) => {
      const vault = await newVault();
      const ref = await vault.addPoint('web01');
      const refused = vault.within((session) => pin(session, ref, { until }));
      await expect(refused).rejects.toMatchObject({ code: 'USAGE', message: /^--until/, hint: expect.any(String) });
    },
  );
});

describe('bringing back', () => {
  it('takes the newest forgotten point of an item, or one by time or id, and more than one at once', async () => {
    const vault = await newVault();
    const refs = await vault.dailyPoints('web01', 5);
    await forgetIn(vault, KEEP_ONE);
    const back = async (...words: string[]): Promise<string[]> => {
      const { unforgotten } = await vault.within((session) => unforget(session, words));
      return unforgotten.map(({ item, point }) => `${item}@${point}`);
    };
    expect(await back('web01')).toEqual([refs[3]]);
    expect(await back('web01@2026-01-02')).toEqual([refs[1]]);
    expect(await back(refs[0]!, 'web01@latest', refs[0]!.slice(0, 12))).toEqual([refs[0], refs[2]]);
    expect(await vault.names()).toEqual(refs);
    await expect(back('web01')).rejects.toMatchObject({ code: 'NO_SUCH_POINT', message: /no forgotten point/ });
  });

  it('a point that is there says so, and is no entry', async () => {
    const vault = await newVault();
    const ref = await vault.addPoint('web01');
    const entries = (await everyEntry(vault)).length;
    const { unforgotten, notices } = await vault.within((session) => unforget(session, [ref]));
    expect([unforgotten, notices]).toEqual([[], [`${ref} is not forgotten`]]);
    expect(await everyEntry(vault)).toHaveLength(entries);
  });

  it('what gc gave up is no point any more, also where that happens just before', async () => {
    const vault = await newVault();
    const [first = '', second = ''] = await vault.dailyPoints('web01', 3);
    await forgetIn(vault, { refs: [first, second] });
    const giveUp = (ref: string): Promise<unknown> =>
      vault.within((session) => session.vault.commit(() => ({ type: 'condemn', points: [idOf(ref)], packs: [] })));
    const told = beforeEntry(vault, () => giveUp(first));
    await expect(vault.within((session) => unforget(session, [second, first]))).rejects.toMatchObject({
      code: 'NO_SUCH_POINT',
      message: `${first} cannot be brought back: its blocks were given up by gc`,
    });
    expect(told.done).toBe(true);
    expect(await vault.names(true)).toEqual([second]);
    await expect(vault.within((session) => unforget(session, [first]))).rejects.toMatchObject({
      code: 'NO_SUCH_POINT',
      hint: expect.stringContaining('gave up'),
    });
    beforeEntry(vault, () => giveUp(second));
    await expect(vault.within((session) => pin(session, second))).rejects.toMatchObject({ code: 'NO_SUCH_POINT' });
  });
});
