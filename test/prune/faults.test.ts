import { beforeAll, describe, expect, it } from 'vitest';
import { cloned, type GcScene, gcScene } from '../support/gc-scene.ts';
import { diesBefore } from '../support/race.ts';
import { type FaultMode, storeFaults } from '../support/store-faults.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const IS_LONG = process.env.VHDVAULT_LONG === '1';
/** Of all operations of a gc so many fail in turn, for each mode; all of them in `npm run test:long`. */
const TRIED = 10;

let scene: GcScene;
let size = 0;
let operations: string[] = [];

/** A vault in which there is something to do for every step: an interrupted run, points to give up, half-empty packs, many segments. */
beforeAll(async () => {
  scene = await gcScene(folder.fresh('faults'));
  const gone = await scene.save('web', 'abcdefgh');
  await scene.save('web', 'aIJKLMNO');
  for (let n = 0; n < 8; n++) await scene.save('mail', `${n}xyz${'PQRSTUVW'[n]}`);
  await scene.forget(gone);
  await interrupted(scene);
  const rehearsal = await cloned(scene);
  const counting = storeFaults(0, 'one');
  rehearsal.wrap(counting.wrap);
  const { abandoned, condemned, repacked, merged } = await rehearsal.gc();
  rehearsal.wrap();
  const did = {
    abandoned: abandoned.length,
    points: condemned.points,
    repacked: repacked.packs > 0,
    merged: merged.into > 0,
  };
  expect(did).toEqual({ abandoned: 1, points: 1, repacked: true, merged: true });
  size = await rehearsal.size();
  operations = counting.log;
}, 120_000);

/** A backup that dies when its packs are stored and its segment is not. */
async function interrupted(at: GcScene): Promise<void> {
  at.wrap(diesBefore('rename index/'));
  await expect(at.save('dead', '5678')).rejects.toMatchObject({ code: 'IO' });
  at.wrap();
}

async function failAt(k: number, mode: FaultMode): Promise<void> {
  const other = await cloned(scene);
  const faults = storeFaults(k, mode);
  other.wrap(faults.wrap);
  const outcome = await other.gc().then(
    () => 'done',
    ({ code }: { code: string }) => code,
  );
  other.wrap();
  const where = `fault ${k} (${mode}): ${faults.what}`;
  expect(faults.hit, where).toBe(true);
  expect(outcome, where).toMatch(/^(done|IO|GC_BLOCKED|OUTCOME_UNKNOWN|VAULT_DAMAGED)$/);
  try {
    await other.check();
    await other.gc();
    await other.check();
    expect(await other.bench.store.list('staging')).toEqual([]);
    // The same blocks; sealed anew in other packs they may be a little more or less.
    expect(Math.abs((await other.size()) - size)).toBeLessThan(3000);
  } catch (cause) {
    throw new Error(where, { cause });
  }
}

describe('a gc whose store fails at any one operation', () => {
  it.each(['one', 'late', 'dead'] as const)(
    'harms no point, and the next one finishes what it began (%s)',
    async (mode) => {
      const tried = operations.flatMap((what, n) => (/^list packs\/./.test(what) && n % 100 !== 0 ? [] : [n + 1]));
      expect(tried.length).toBeGreaterThan(150);
      const every = IS_LONG ? 1 : Math.floor(tried.length / TRIED);
      const start = { one: 0, late: 1, dead: 2 }[mode] % every;
      for (const k of tried.filter((_, n) => n % every === start)) await failAt(k, mode);
    },
    3_600_000,
  );
});

describe('what an interrupted run left', () => {
  it('is kept for the next run until the grace is over, and then freed to the last byte', async () => {
    const other = await cloned(scene);
    const without = await cloned(scene);
    const before = await without.gc().then(() => without.size());
    expect(await other.gc({ softDelete: 0 })).toMatchObject({ abandoned: [] });
    expect(await other.bench.store.list('staging')).toHaveLength(1);
    const { abandoned } = await other.gc();
    expect(abandoned).toEqual([{ item: 'dead', opened: expect.any(String) }]);
    expect(await other.bench.store.list('staging')).toEqual([]);
    expect(Math.abs((await other.size()) - before)).toBeLessThan(3000);
  });

  it('leaves a vault of the size that it had before', async () => {
    const fresh = await gcScene(folder.fresh('killed'));
    await fresh.save('web', 'abcdefgh');
    const before = await fresh.size();
    await interrupted(fresh);
    expect(await fresh.size()).toBeGreaterThan(before);
    await fresh.gc();
    expect(await fresh.size()).toBe(before);
    await fresh.check();
    await fresh.save('dead', '5678');
    await fresh.check();
  });
});
