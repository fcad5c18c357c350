import { describe, expect, it } from 'vitest';
import { AT_ONCE, gcScene, listed } from '../support/gc-scene.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const DAY = 24 * 3600 * 1000;

describe('a gc', () => {
  it('frees what only forgotten points held, and nothing that others need', async () => {
    const scene = await gcScene(folder.fresh('half'));
    const refs: string[] = [];
    for (const letters of ['abcdefgh', 'abcdXYZW', 'ijklXYZW', 'ijklmnop', 'qrstmnop'])
      refs.push(await scene.save('web', letters));
    const full = await scene.size();
    await scene.forget(refs[0]!, refs[1]!, refs[2]!);
    const { condemned, freedBytes, warnings } = await scene.gc();
    expect({ points: condemned.points, warnings }).toEqual({ points: 3, warnings: [] });
    // efgh, abcd and XYZW: half of the blocks that were stored.
    expect(full - freedBytes).toBeLessThan(full * 0.6);
    expect(await scene.size()).toBeLessThan(full * 0.6);
    await scene.check();
    expect([...(await scene.points()).keys()]).toEqual(refs.slice(3));
  });

  it('comes back to the size of a vault that never had what was forgotten', async () => {
    // One thread: how many packs two of them fill is a matter of chance.
    const [scene, other] = [
      await gcScene(folder.fresh('one'), { threads: 1 }),
      await gcScene(folder.fresh('other'), { threads: 1 }),
    ];
    const gone = [];
    for (const letters of ['abcdefghij', 'klmnopqrst', 'ABCDEFGHIJ']) gone.push(await scene.save('old', letters));
    for (const one of [scene, other]) await one.save('web', '0123456789');
    await scene.forget(...gone);
    await scene.gc();
    // Names are random, and not all compress to the same.
    expect(Math.abs((await scene.size()) - (await other.size()))).toBeLessThan(16);
  });

  it('leaves an empty vault when all is forgotten', async () => {
    const scene = await gcScene(folder.fresh('all'));
    const refs = [await scene.save('web', 'abc'), await scene.save('web', 'abd')];
    await scene.forget(...refs);
    await scene.gc();
    expect(await scene.size()).toBe(0);
    expect((await scene.points()).size).toBe(0);
    await scene.save('web', 'abc');
    await scene.check();
  });

  it('done again does nothing and writes nothing', async () => {
    const scene = await gcScene(folder.fresh('again'));
    const refs = [
      await scene.save('web', 'abcdefgh'),
      await scene.save('web', 'abXXXXXX'),
      await scene.save('db', 'QRS'),
    ];
    await scene.forget(refs[0]!);
    await scene.gc();
    const log = await scene.bench.store.list('log');
    const again = await scene.gc();
    expect(again).toMatchObject({
      freedBytes: 0,
      condemned: { packs: 0 },
      repacked: { packs: 0 },
      merged: { segments: 0 },
    });
    expect(await scene.bench.store.list('log')).toEqual(log);
  });

  it('needs no file of its own and leaves none', async () => {
    const scene = await gcScene(folder.fresh('clean'));
    await scene.forget(await scene.save('web', 'abcdefgh'), await scene.save('web', 'abXXXXXX'));
    await scene.save('web', 'abcd');
    await scene.gc();
    expect([...(await scene.bench.store.list('staging')), ...(await scene.bench.store.list('locks'))]).toEqual([]);
  });

  it('lists in its index what is there, once, and counts it right', async () => {
    const scene = await gcScene(folder.fresh('counts'));
    const refs: string[] = [];
    for (let n = 0; n < 20; n++)
      refs.push(await scene.save(`item${n % 3}`, String.fromCharCode(65 + n, 66 + n, 97 + n, 48 + (n % 4))));
    await scene.forget(...refs.slice(0, 11));
    await scene.gc();
    const { packs, counts, entries } = await listed(scene);
    expect([...packs.keys()].sort()).toEqual(
      (await scene.packs()).map((path) => path.slice('packs/xx/'.length)).sort(),
    );
    expect(counts).toEqual({ packs: packs.size, bytes: [...packs.values()].reduce((sum, size) => sum + size, 0) });
    expect(new Set(entries).size).toBe(entries.length);
    await scene.check();
  });
});

describe('time', () => {
  it('is given to forgotten points until they can be freed, and to files until they are deleted', async () => {
    const scene = await gcScene(folder.fresh('time'));
    let now = Date.UTC(2026, 5, 1);
    const clock = { now: () => now, monotonic: () => 0, sleep: async () => undefined };
    const run = (): ReturnType<typeof scene.gc> => scene.gc({}, { parts: { clock }, state: folder.fresh('state') });
    await scene.save('web', 'zzzz');
    const gone = await scene.save('web', 'abcd');
    await scene.save('web', 'zzzz');
    await using session = await scene.bench.open({ parts: { clock }, state: folder.fresh('state') });
    await session.vault.commit(() => ({ type: 'forget', points: [gone.slice(gone.indexOf('@') + 2)] }));
    const from = new Date(now + 14 * DAY).toISOString();
    for (const dryRun of [true, false]) {
      const told = await scene.gc({ dryRun }, { parts: { clock }, state: folder.fresh('state') });
      expect(told).toMatchObject({ freedLater: [], forgottenLater: [{ points: 1, at: from }] });
      expect([told.softDelete, told.grace]).toEqual([14 * 86_400, 86_400]);
    }
    now += 14 * DAY - 1;
    expect(await run()).toMatchObject({ condemned: { points: 0, packs: 0 }, freedLater: [] });
    now += 1;
    const given = await run();
    expect(given).toMatchObject({ condemned: { points: 1 }, freedBytes: 0, forgottenLater: [] });
    const later = given.freedLater.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(later).toBeGreaterThanOrEqual(given.condemned.bytes);
    expect(given.freedLater.at(-1)?.at).toBe(new Date(now + DAY).toISOString());
    now += DAY - 1;
    expect(await run()).toMatchObject({ freedBytes: 0 });
    now += 1;
    expect(await run()).toMatchObject({ freedBytes: later, freedLater: [] });
    expect(await run()).toMatchObject({ freedBytes: 0, freedLater: [] });
    await scene.check();
  });

  it('that goes back at any moment of a gc leaves no point that can be brought back and is not whole', async () => {
    const HOUR = 3_600_000;
    const start = Date.UTC(2026, 5, 1);
    const outcomes = new Set<boolean>();
    for (let when = 0; when < 12; when++) {
      const scene = await gcScene(folder.fresh('back'));
      let asked = 0;
      let now = (): number => start;
      const clock = { now: () => now(), monotonic: () => 0, sleep: async () => undefined };
      const parts = { clock };
      const gone = await scene.save('web', 'abcd');
      await scene.save('web', 'zzzz');
      const state = folder.fresh('state');
      {
        await using session = await scene.bench.open({ parts, state });
        await session.vault.commit(() => ({ type: 'forget', points: [gone.slice(gone.indexOf('@') + 2)] }));
      }
      now = () => (asked++ < when ? start + 2 * HOUR : start + HOUR / 2);
      await scene.gc({ softDelete: HOUR, grace: 0 }, { parts, state });
      const isThere = (await scene.points()).has(gone);
      outcomes.add(isThere);
      if (isThere) await scene.unforget(gone);
      await scene.check();
    }
    expect(outcomes).toEqual(new Set([true, false]));
  });

  it('that is doubted lets it refuse, unless it is accepted', async () => {
    const scene = await gcScene(folder.fresh('doubt'));
    await scene.forget(await scene.save('web', 'abcd'));
    const clock = { now: () => Date.UTC(2020, 0, 1), monotonic: () => 0, sleep: async () => undefined };
    await expect(scene.gc(AT_ONCE, { parts: { clock } })).rejects.toMatchObject({ code: 'CLOCK_DOUBTED' });
    expect(await scene.gc({ ...AT_ONCE, dryRun: true }, { parts: { clock } })).toMatchObject({
      condemned: { points: 1 },
      notices: [expect.stringContaining('--accept-clock')],
    });
    const done = await scene.gc({ ...AT_ONCE, acceptClock: true }, { parts: { clock } });
    expect(done).toMatchObject({ condemned: { points: 1 } });
    expect(await scene.size()).toBe(0);
  });
});

describe('a point', () => {
  it('that is pinned is kept whole though it was forgotten', async () => {
    const scene = await gcScene(folder.fresh('pinned'));
    const ref = await scene.save('web', 'abcd');
    await scene.forget(ref);
    await scene.commit({ type: 'pin', point: ref.slice(ref.indexOf('@') + 2), until: Number.MAX_SAFE_INTEGER });
    expect(await scene.gc()).toMatchObject({ condemned: { points: 0, packs: 0 } });
    await scene.unforget(ref);
    await scene.check();
    expect((await scene.points()).get(ref)?.forgotten).toBeUndefined();
  });

  it('that was given up stays gone, and one that was not comes back whole', async () => {
    const scene = await gcScene(folder.fresh('unforget'));
    const [one, two] = [await scene.save('web', 'abcd'), await scene.save('db', 'efgh')];
    await scene.forget(one);
    await scene.gc();
    await scene.forget(two);
    await scene.unforget(one, two);
    expect([...(await scene.points()).keys()]).toEqual([two]);
    await scene.gc();
    await scene.check();
  });

  it('all of whose blocks are shared is given up all the same', async () => {
    const scene = await gcScene(folder.fresh('shared'));
    const [one] = [await scene.save('web', 'abcd'), await scene.save('db', 'abcd')];
    await scene.forget(one);
    expect(await scene.gc()).toMatchObject({ condemned: { points: 1 } });
    expect((await scene.points()).has(one)).toBe(false);
    await scene.check();
  });
});

describe('a dry run', () => {
  it('tells what the gc after it does, and writes nothing', async () => {
    const scene = await gcScene(folder.fresh('dry'));
    const refs: string[] = [];
    for (let n = 0; n < 12; n++) refs.push(await scene.save('web', String.fromCharCode(65 + n, 97 + n, 98 + n, 48)));
    await scene.forget(...refs.slice(0, 7));
    const writes: string[] = [];
    const told = (name: string): Promise<never> => {
      writes.push(name);
      throw new Error(`${name} in a dry run`);
    };
    scene.wrap((store) => ({
      ...store,
      create: () => told('create'),
      link: () => told('link'),
      rename: () => told('rename'),
      remove: () => told('remove'),
      removeFolder: () => told('removeFolder'),
    }));
    const [now, later] = [
      await scene.gc({ ...AT_ONCE, dryRun: true }),
      await scene.gc({ softDelete: 0, dryRun: true }),
    ];
    scene.wrap();
    expect(writes).toEqual([]);
    const done = await scene.gc();
    expect({ ...now, merged: {}, swept: {}, freedBytes: 0, seconds: 0 }).toEqual({
      ...done,
      ...{ dryRun: true, repacked: now.repacked, merged: {}, swept: {}, freedBytes: 0, seconds: 0 },
    });
    expect(now.freedBytes).toBeGreaterThanOrEqual(now.condemned.bytes);
    expect(later.freedLater).toEqual([{ bytes: now.freedBytes, at: expect.any(String) }]);
  });
});
