import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import type { ForgetOptions, ForgetResult, RetentionRules, WhatToForget } from '../../src/jobs/forget-types.ts';
import { lockItem } from '../../src/jobs/item-lock.ts';
import { pin } from '../../src/jobs/pin-job.ts';
import { items, points } from '../../src/jobs/points.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { GC_ITEM } from '../../src/prune/own-job.ts';
import { forgetText } from '../../src/report/forget-text.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { plain } from '../report/results.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { beforeEntry, DAY, manifestOf, START, type TimedVault, timedVault } from '../support/timed-vault.ts';
import { noise, rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const KEEP_ONE: WhatToForget = { rules: { last: 1 } };

const newVault = (): Promise<TimedVault> => timedVault(folder.fresh('vault'));

const forgetIn = (vault: TimedVault, what: WhatToForget, options?: ForgetOptions): Promise<ForgetResult> =>
  vault.within((session) => forget(session, what, options));
const named = ({ forgotten }: ForgetResult): string[] => forgotten.map(({ item, point }) => `${item}@${point}`);
const everyEntry = (vault: TimedVault): Promise<string[]> => vault.bench.store.list('log');

describe('forgetting', () => {
  it('and bringing back leaves all as it was: listings, and every byte', async () => {
    const vault = await newVault();
    const { bench } = vault;
    await mkdir(bench.folder, { recursive: true });
    const bytes = noise(100 * 1024, 1);
    const { point } = await bench.backup('web01', [await rawDisk(join(bench.folder, 'os'), bytes)]);
    await vault.addPoint('web01');
    const before = await vault.within((session) => points(session));
    const { forgotten } = await forgetIn(vault, { refs: [`web01@${point}`] });
    expect(forgotten).toEqual([expect.objectContaining({ item: 'web01', point })]);
    expect(await vault.names(true)).toEqual([`web01@${point}`]);
    await expect(bench.restored(`web01@${point}`)).rejects.toMatchObject({
      code: 'NO_SUCH_POINT',
      hint: `\`vhdvault unforget web01@${point}\` brings it back`,
    });
    await vault.within((session) => unforget(session, [`web01@${point}`]));
    expect(await vault.within((session) => points(session))).toEqual(before);
    expect(Buffer.compare(await bench.restored(`web01@${point}`), bytes)).toBe(0);
  });

  it('by rules keeps what one of them keeps, item by item, and tells why', async () => {
    const vault = await newVault();
    const [db] = (await vault.dailyPoints('db01', 1)) as [string];
    const web = await vault.dailyPoints('web01', 5);
    const rules = { daily: 2, within: '1d', zone: 'UTC' };
    const plan = await forgetIn(vault, { rules }, { dryRun: true });
    expect(plan.dryRun).toBe(true);
    expect(plan.kept.map(({ item, reasons }) => [item, reasons])).toEqual([
      ['db01', ['latest', 'within 1d', 'daily 2026-01-01']],
      ['web01', ['within 1d', 'daily 2026-01-04']],
      ['web01', ['latest', 'within 1d', 'daily 2026-01-05']],
    ]);
    expect(await vault.names()).toHaveLength(6);
    const done = await forgetIn(vault, { rules });
    expect(named(done)).toEqual(named(plan));
    expect(done.kept).toEqual(plan.kept);
    expect(named(done)).toEqual(web.slice(0, 3));
    expect(await vault.names()).toEqual([db, ...web.slice(3)]);
    const again = await forgetIn(vault, { rules });
    expect([again.forgotten, again.kept]).toEqual([[], plan.kept]);
  });

  it('tells until when points can be brought back at least, by the log', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 3);
    vault.time = START + 10 * DAY;
    const { forgotten } = await forgetIn(vault, KEEP_ONE);
    const expires = new Date(START + 24 * DAY).toISOString();
    expect(forgotten.map((one) => one.expires)).toEqual([expires, expires]);
    const listed = await vault.within((session) => points(session, 'web01', { forgotten: true }));
    expect(listed.points.map((one) => [one.forgotten, one.expires])).toEqual(
      forgotten.map(() => [new Date(vault.time).toISOString(), expires]),
    );
  });

  it('of items that are named leaves all others alone', async () => {
    const vault = await newVault();
    const [first] = await vault.dailyPoints('a', 2);
    await vault.dailyPoints('b', 2);
    expect(named(await forgetIn(vault, { items: ['a', 'a'], rules: { last: 1 } }))).toEqual([first]);
    await expect(forgetIn(vault, { items: ['a', 'c'], rules: { last: 1 } })).rejects.toMatchObject({
      code: 'NO_SUCH_ITEM',
      hint: 'it has: a, b',
    });
  });

  it('what is named twice is done once, in one entry', async () => {
    const vault = await newVault();
    const [first = '', second = ''] = await vault.dailyPoints('web01', 3);
    const entries = (await everyEntry(vault)).length;
    const refs = [first, second, first, first.slice(0, -4), 'web01@2026-01-02'];
    expect(named(await forgetIn(vault, { refs }))).toEqual([first, second]);
    expect(await everyEntry(vault)).toHaveLength(entries + 1);
  });

  it('the latest point of an item needs force, and then the item is gone from the list of items', async () => {
    const vault = await newVault();
    const [first = '', latest = ''] = await vault.dailyPoints('web01', 2);
    for (const refs of [['web01@latest'], [first, latest]])
      await expect(forgetIn(vault, { refs })).rejects.toMatchObject({ code: 'LATEST_POINT', hint: /--force/ });
    expect(await vault.names()).toEqual([first, latest]);
    expect(named(await forgetIn(vault, { refs: [first, latest] }, { force: true }))).toEqual([first, latest]);
    expect((await vault.within((session) => items(session))).items).toEqual([]);
    expect(await vault.names(true)).toEqual([first, latest]);
    await expect(vault.within((session) => points(session, 'web01'))).rejects.toMatchObject({
      code: 'NO_SUCH_ITEM',
      message: 'all points of web01 are forgotten',
      hint: expect.stringContaining('points web01 --forgotten'),
    });
    expect((await vault.within((session) => points(session, 'web01', { forgotten: true }))).points).toHaveLength(2);
  });

  it('what is forgotten already is no failure, and no entry', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    await forgetIn(vault, { refs: [first] });
    const entries = (await everyEntry(vault)).length;
    const { forgotten, notices } = await forgetIn(vault, { refs: [first] });
    expect([forgotten, notices]).toEqual([[], [`${first} is forgotten already`]]);
    expect((await forgetIn(vault, KEEP_ONE)).forgotten).toEqual([]);
    expect(await everyEntry(vault)).toHaveLength(entries);
  });

  it('more points than an entry takes are forgotten by several', async () => {
    const vault = await newVault();
    await using session = await vault.open();
    const manifest = manifestOf('web01');
    const { state } = session.vault;
    for (let n = 0; n < 10_005; n++) {
      const point = n.toString(16).padStart(16, '0');
      state.points.set(point, { ...{ point, sequence: n, time: START, tool: '', job: '', adds: [] }, manifest });
    }
    const { forgotten, kept } = await forget(session, KEEP_ONE);
    expect([forgotten.length, kept.length, state.sequence]).toEqual([10_004, 1, 3]);
    expect(new Set(forgotten.map(({ point }) => point)).size).toBe(10_004);
  });

  it('is refused without points or rules, or with what does not go together', async () => {
    const vault = await newVault();
    const [first = ''] = await vault.dailyPoints('web01', 2);
    const wrong: [WhatToForget, ForgetOptions, RegExp][] = [
      [{ refs: [] }, {}, /neither points nor rules/],
      [{ refs: [first, 'web01'] }, { force: true }, /"web01" names no point, only an item/],
      [{ refs: [''] }, {}, /a point was named by an empty text/],
      [{ refs: ['@latest'] }, {}, /"@latest" names no item/],
      [{ refs: [first], rules: { last: 1 } } as WhatToForget, {}, /points and rules were given together/],
      [{ rules: { last: 1, dialy: 7 } as RetentionRules }, {}, /there is no rule "dialy"/],
      [{ rules: {} }, {}, /none keeps anything/],
      [{ rules: { last: 0, daily: 0, within: '0d' } }, {}, /none keeps anything/],
      [{ rules: { last: -1 } }, {}, /cannot keep -1 points/],
      [{ rules: { daily: 1.5 } }, {}, /cannot keep 1.5 points/],
      [{ rules: { last: 1, zone: 'Mars/Olympus' } }, {}, /unknown time zone/],
      [{ rules: { within: '30' } }, {}, /--keep-within is no duration: "30"/],
      [{ rules: { last: 1 } }, { force: true }, /--force goes with points/],
    ];
    for (const [what, options, message] of wrong) {
      const refused = forgetIn(vault, what, options);
      await expect(refused).rejects.toMatchObject({ code: 'USAGE', message, hint: expect.any(String) });
    }
    await expect(forgetIn(vault, { items: ['a b'], rules: { last: 1 } })).rejects.toMatchObject({ code: 'ITEM_NAME' });
    expect(await vault.names(true)).toEqual([]);
  });
});

describe('two at once', () => {
  const race = async (
    before: (vault: TimedVault, first: string, second: string) => Promise<unknown>,
    what: (first: string, second: string) => WhatToForget,
  ): Promise<{ vault: TimedVault; outcome: ForgetResult | { code: string } }> => {
    const vault = await newVault();
    const [first = '', second = ''] = await vault.dailyPoints('web01', 2);
    const told = beforeEntry(vault, () => before(vault, first, second));
    const outcome = await forgetIn(vault, what(first, second)).catch((error: unknown) => error as { code: string });
    expect(told.done).toBe(true);
    return { vault, outcome };
  };
  const other = (what: WhatToForget) => (vault: TimedVault) => forgetIn(vault, what, { force: 'refs' in what });

  it('cannot forget all points of an item without force, by name', async () => {
    const { vault, outcome } = await race(other({ refs: ['web01@latest'] }), (first) => ({ refs: [first] }));
    expect(outcome).toMatchObject({ code: 'LATEST_POINT' });
    expect(await vault.names()).toHaveLength(1);
  });

  it('cannot forget all points of an item without force, by rules', async () => {
    const { vault, outcome } = await race(other({ refs: ['web01@latest'] }), () => KEEP_ONE);
    expect(outcome).toMatchObject({ forgotten: [], kept: [{ reasons: ['latest', 'last 1'] }] });
    expect(await vault.names()).toHaveLength(1);
  });

  it('forget a point once', async () => {
    const { vault, outcome } = await race(other(KEEP_ONE), (first) => ({ refs: [first] }));
    expect(outcome).toMatchObject({ forgotten: [], notices: [expect.stringContaining('is forgotten already')] });
    expect((await race(other(KEEP_ONE), () => KEEP_ONE)).outcome).toMatchObject({ forgotten: [] });
    expect(await vault.names(true)).toHaveLength(1);
  });

  it('do not forget what the other one pins or protects', async () => {
    const pinFirst = (vault: TimedVault, first: string): Promise<unknown> =>
      vault.within((session) => pin(session, first));
    const protectAll = (vault: TimedVault): Promise<unknown> =>
      vault.within((session) => protect(session, { minRetention: '30d' }));
    const byName = (first: string): WhatToForget => ({ refs: [first] });
    expect((await race(pinFirst, byName)).outcome).toMatchObject({ code: 'POINT_PINNED' });
    expect((await race(protectAll, byName)).outcome).toMatchObject({ code: 'POINT_PROTECTED' });
    expect((await race(pinFirst, () => KEEP_ONE)).outcome).toMatchObject({
      forgotten: [],
      kept: [{ reasons: ['pinned'] }, { reasons: ['latest', 'last 1'] }],
    });
    expect((await race(protectAll, () => KEEP_ONE)).outcome).toMatchObject({
      forgotten: [],
      kept: [{ reasons: ['protected until 2026-01-31T12:00:00Z'] }, { reasons: ['latest', 'last 1'] }],
    });
  });

  it('plan by rules with what the other one added', async () => {
    const { vault, outcome } = await race(
      (vault) => vault.addPoint('web01'),
      () => KEEP_ONE,
    );
    expect(outcome).toMatchObject({ forgotten: [{}, {}], kept: [{ reasons: ['latest', 'last 1'] }] });
    expect(await vault.names()).toHaveLength(1);
  });
});

describe('a vault that cannot be written', () => {
  it('tells that, and what can still be done', async () => {
    const vault = await newVault();
    const refs = await vault.dailyPoints('web01', 2);
    const { name } = vault.bench.storeAddress as { name: string };
    wrapMemoryStore(name, (store) => ({
      ...store,
      create: async () => {
        throw new VhdvaultError('NO_PERMISSION', 'not allowed: creating it (EROFS)');
      },
    }));
    await using session = await vault.open();
    const refused = { code: 'VAULT_READ_ONLY', hint: expect.stringContaining('--dry-run') };
    await expect(forget(session, KEEP_ONE)).rejects.toMatchObject(refused);
    await expect(pin(session, 'web01')).rejects.toMatchObject(refused);
    await expect(protect(session, { minRetention: '1d' })).rejects.toMatchObject(refused);
    expect(named(await forget(session, KEEP_ONE, { dryRun: true }))).toEqual([refs[0]]);
    expect(await protect(session)).toMatchObject({ minRetention: 0, points: 2 });
  });

  it('is one that another run writes, where it takes one writer at a time', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 2);
    await using session = await vault.open();
    Object.assign(session.vault.config, { singleWriter: true });
    {
      await using _lock = await lockItem(session.vault, 'db01');
      await expect(forget(session, KEEP_ONE)).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
    }
    expect((await forget(session, KEEP_ONE)).forgotten).toHaveLength(1);
    expect(await vault.bench.store.list('locks')).toEqual([]);
  });
});

describe('forgetting with a gc', () => {
  it('frees what was forgotten long ago, not yet what is forgotten now', async () => {
    const vault = await newVault();
    const { bench } = vault;
    await mkdir(bench.folder, { recursive: true });
    for (const seed of [1, 2, 3]) {
      vault.time += DAY;
      await using session = await vault.open();
      await backup(session, 'web01', [await rawDisk(join(bench.folder, 'os'), noise(100 * 1024, seed))]);
    }
    const first = await forgetIn(vault, { rules: { last: 2 } }, { gc: true });
    expect(first.gc).toMatchObject({ dryRun: false, condemned: { points: 0, packs: 0 } });
    vault.time += 14 * DAY;
    const dry = await forgetIn(vault, KEEP_ONE, { gc: true, dryRun: true });
    expect([dry.forgotten.length, dry.gc?.dryRun, dry.gc?.condemned.points]).toEqual([1, true, 1]);
    const { forgotten, gc, warnings } = await forgetIn(vault, KEEP_ONE, { gc: true });
    expect([forgotten.length, gc?.condemned.points, warnings]).toEqual([1, 1, []]);
    expect(gc?.condemned.packs).toBeGreaterThan(0);
    expect(await vault.names(true)).toEqual(named({ ...first, forgotten }));
  });

  it('that fails tells what was forgotten all the same', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 2);
    await using session = await vault.open();
    await using _lock = await lockItem(session.vault, GC_ITEM);
    const result = await forgetIn(vault, KEEP_ONE, { gc: true });
    expect(result).toMatchObject({ forgotten: [{}], gc: null, warnings: [] });
    expect(result.gcError).toEqual({
      code: 'ITEM_LOCKED',
      message: expect.stringMatching(/^another gc, or a repair, is at work/),
      hint: expect.stringMatching(/^wait for it to end/),
      details: expect.any(Object),
    });
    expect(exitCodeOfResult(result)).toBe(11);
  });

  it.each([
    ['VAULT_DAMAGED', 13],
    ['NO_SPACE', 15],
    ['CANCELLED', 130],
    ['IO', 1],
  ] as const)('that fails by %s ends with exit code %i, and what was forgotten is told', async (code, exit) => {
    const vault = await newVault();
    const [first] = await vault.dailyPoints('web01', 2);
    const { name } = vault.bench.storeAddress as { name: string };
    // Forgetting locks nothing.
    wrapMemoryStore(name, (store) => ({
      ...store,
      create: async (path) => {
        if (path.startsWith('locks/')) throw new VhdvaultError(code, 'not now');
        return await store.create(path);
      },
    }));
    const result = await forgetIn(vault, KEEP_ONE, { gc: true });
    wrapMemoryStore(name, (store) => store);
    expect([named(result), result.gc, result.gcError?.code]).toEqual([[first], null, code]);
    expect(exitCodeOfResult(result)).toBe(exit);
    expect(await vault.names(true)).toEqual([first]);
  });

  it('that Ctrl-C ends tells what was forgotten', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 2);
    const cancel = new AbortController();
    beforeEntry(vault, async () => cancel.abort());
    const result = await forgetIn(vault, KEEP_ONE, { gc: true, signal: cancel.signal });
    expect(result).toMatchObject({ forgotten: [{}], gc: null, gcError: { code: 'CANCELLED' } });
    expect(exitCodeOfResult(result)).toBe(130);
  });

  it('by spans of its own gives up what was forgotten in the same run, and says so', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 3);
    const kept = await forgetIn(vault, { rules: { last: 2 } }, { gc: true, softDelete: DAY });
    expect(kept.forgotten[0]?.expires).toBe(new Date(vault.time + DAY).toISOString());
    expect(kept.gc).toMatchObject({ condemned: { points: 0 }, softDelete: 86_400, grace: 86_400 });
    const result = await forgetIn(vault, KEEP_ONE, { gc: true, softDelete: 0, grace: 0 });
    expect(result.gc).toMatchObject({ condemned: { points: 2 }, softDelete: 0, grace: 0 });
    expect(forgetText(result, plain)).toContain(
      '1 point forgotten, 1 kept; the gc gave it up, and nothing brings it back',
    );
    expect(await vault.names(true)).toEqual([]);
    for (const spans of [{ softDelete: 0 }, { grace: 0 }])
      await expect(forgetIn(vault, KEEP_ONE, spans)).rejects.toMatchObject({
        code: 'USAGE',
        message: /goes with --gc/,
      });
    await expect(forgetIn(vault, KEEP_ONE, { gc: true, grace: -1 })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('cancelling', () => {
  it('before the entry is written leaves all as it is, after that is too late', async () => {
    const vault = await newVault();
    await vault.dailyPoints('web01', 3);
    const cancel = new AbortController();
    beforeEntry(vault, async () => {
      await vault.addPoint('web01');
      cancel.abort();
    });
    const { signal } = cancel;
    await expect(forgetIn(vault, KEEP_ONE, { signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await vault.names(true)).toEqual([]);
    const late = new AbortController();
    beforeEntry(vault, async () => late.abort());
    expect((await forgetIn(vault, KEEP_ONE, { signal: late.signal })).forgotten).toHaveLength(3);
  });
});
