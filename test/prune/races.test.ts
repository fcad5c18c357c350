import { beforeAll, describe, expect, it } from 'vitest';
import type { EntryBody } from '../../src/vault/vault.ts';
import { cloned, type GcScene, gcScene, idOf } from '../support/gc-scene.ts';
import { happensBefore, raceAt, withoutLocks } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const IS_LONG = process.env.VHDVAULT_LONG === '1';

/** Of all moments so many are tried, spread evenly; all of them in `npm run test:long`. */
const TRIED = 6;

let scene: GcScene;
/** A forgotten point, and one that is live. */
let [gone, live] = ['', ''];

/** Blocks stored twice, a pack of which little is needed, many small segments, and a point to be given up. */
beforeAll(async () => {
  scene = await gcScene(folder.fresh('races'));
  const race = raceAt(0, async () => undefined);
  scene.wrap(race.wrap);
  await scene.save('probe', 'z');
  const commit = race.log.findLastIndex((what) => what.startsWith('link log/'));
  // Both store all blocks, since neither knows of the other.
  scene.wrap(raceAt(commit + 1, () => scene.save('db', '12345678')).wrap);
  await scene.save('web', '12345678');
  scene.wrap();
  gone = await scene.save('web', 'abcdefgh');
  live = await scene.save('web', 'aIJKLMNO');
  for (let n = 0; n < 6; n++) await scene.save('mail', `${n}xyz${'PQRSTU'[n]}`);
  await scene.forget(gone);
}, 120_000);

/** Runs a gc, and lets something happen before its k-th operation, for every k. */
async function atEveryMoment(
  happens: (other: GcScene) => Promise<unknown>,
  after?: (other: GcScene) => Promise<void>,
): Promise<void> {
  const rehearsal = await cloned(scene);
  const counting = raceAt(0, async () => undefined);
  rehearsal.wrap(counting.wrap);
  await rehearsal.gc();
  const moments = counting.log.flatMap((what, n) => (/^list packs\/./.test(what) && n % 100 !== 0 ? [] : [n + 1]));
  expect(moments.length).toBeGreaterThan(150);
  const every = IS_LONG ? 1 : Math.floor(moments.length / TRIED);
  const start = Math.floor(every / 2);
  for (const k of moments.filter((_, n) => n % every === start % every)) {
    const other = await cloned(scene);
    let spared: string[] = [];
    const race = raceAt(k, async () => {
      await happens(other);
      spared = await sparedPoints(other);
    });
    other.wrap(race.wrap);
    await other.gc();
    other.wrap();
    expect(race.hit, String(k)).toBe(true);
    expect([...(await other.points()).keys()], `at operation ${k}: ${race.what}`).toEqual(
      expect.arrayContaining(spared),
    );
    try {
      await other.check();
      await after?.(other);
      // What was not given up can be had again.
      await other.unforget(...(await other.points()).keys());
      await other.check();
      await other.gc();
      await other.check();
    } catch (cause) {
      throw new Error(`at operation ${k}: ${race.what}`, { cause });
    }
  }
}

async function sparedPoints(other: GcScene): Promise<string[]> {
  return [...(await other.points())].filter(([, { forgotten, pinned }]) => !forgotten || pinned).map(([ref]) => ref);
}

describe('beside a gc, at any moment,', () => {
  it('a point can be brought back: it is whole, or was given up before', () =>
    atEveryMoment((other) => other.unforget(gone)));

  it('a point can be pinned, and brought back later', () =>
    atEveryMoment(
      (other) => other.commit({ type: 'pin', point: idOf(gone), until: Number.MAX_SAFE_INTEGER }),
      (other) => other.unforget(gone),
    ));

  it('a backup can refer to blocks that no point needed any more', () =>
    atEveryMoment((other) => other.save('new', 'abcdefgh1234')));

  it('a point can be made of such blocks, and forgotten: it is whole, or given up with them', () =>
    atEveryMoment(async (other) => other.forget(await other.save('new', 'abcdefgh1234'))));

  it('a point can be forgotten, with all that only it held', () => atEveryMoment((other) => other.forget(live)));

  it('another gc can run from beginning to end, whatever their locks say', () =>
    atEveryMoment(unseen((other) => other.gc())));
});

/** By somebody who sees no lock of the other. */
function unseen(happens: (other: GcScene) => Promise<unknown>): (other: GcScene) => Promise<void> {
  return async (other) => {
    other.wrap(withoutLocks);
    await happens(other);
    other.wrap();
  };
}

describe('a point that is made and forgotten while a gc is at work', () => {
  it('keeps what it refers to: that gc does not give it up', async () => {
    const one = await gcScene(folder.fresh('forgotten'));
    await one.forget(await one.save('web', 'abcdefgh'));
    await one.save('web', 'IJKL');
    let made = '';
    one.wrap(
      happensBefore(
        (what) => what.startsWith('link log/'),
        async () => {
          made = await one.save('new', 'abcdefgh');
          await one.save('new', 'IJKL');
          await one.forget(made);
        },
      ),
    );
    await one.gc();
    one.wrap();
    await one.unforget(made);
    await one.check();
  });
});

describe('a gc at any moment of a backup', () => {
  const letters = 'abcdefgh1234QRST';

  it.each([
    ['that it sees', (other: GcScene): Promise<unknown> => other.gc()],
    ['that it takes for dead', unseen((other) => other.gc())],
  ])('%s harms neither that nor what there was', async (_, happens) => {
    const rehearsal = await cloned(scene);
    const counting = raceAt(0, async () => undefined);
    rehearsal.wrap(counting.wrap);
    await rehearsal.save('new', letters);
    const every = IS_LONG ? 1 : Math.floor(counting.log.length / TRIED);
    for (let k = 1 + (every >> 1); k <= counting.log.length; k += every) {
      const other = await cloned(scene);
      const race = raceAt(k, () => happens(other));
      other.wrap(race.wrap);
      await other.save('new', letters);
      other.wrap();
      expect(race.hit, String(k)).toBe(true);
      try {
        await other.check();
        await other.gc();
        await other.check();
      } catch (cause) {
        throw new Error(`at operation ${k}: ${race.what}`, { cause });
      }
    }
  });
});

/** For each pack of a vault that has all blocks twice: a gc, and an entry about that pack before its first operation that is meant. */
async function whileCopiesAreChosen(
  isMeant: (what: string, path: string) => boolean,
  entry: (pack: string) => EntryBody,
): Promise<void> {
  const two = await gcScene(folder.fresh('copies'));
  // Both store all blocks, since neither knows of the other.
  two.wrap(
    happensBefore(
      (what) => what.startsWith('rename index/'),
      () => two.save('db', '12345678'),
    ),
  );
  await two.save('web', '12345678');
  two.wrap();
  let raced = 0;
  for (const path of await two.packs()) {
    const other = await cloned(two);
    const happens = async (): Promise<void> => {
      raced++;
      await other.commit(entry(path.slice('packs/xx/'.length)));
    };
    let isAtWork = false;
    const due = (what: string): boolean => {
      isAtWork ||= what.startsWith('create locks/');
      return isAtWork && isMeant(what, path);
    };
    other.wrap(happensBefore(due, happens));
    await other.gc();
    other.wrap();
    await other.check();
  }
  expect(raced).toBeGreaterThan(1);
}

describe('a block that two packs have', () => {
  it('is not given up by two gcs that keep different copies of it', () =>
    // Read after the mark, to see whether it is good: the other gc keeps the other copy.
    whileCopiesAreChosen(
      (what, path) => what === `open ${path}`,
      (pack) => ({ type: 'condemn', points: [], packs: [pack] }),
    ));

  it('is not given up by a gc when somebody finds the copy damaged that it keeps', () =>
    whileCopiesAreChosen(
      (what) => what.startsWith('link log/'),
      (pack) => ({ type: 'quarantine', pack, frames: 'all' }),
    ));
});

describe('packs that somebody finds damaged while a gc is at work', () => {
  it('are not given up by it, needed or not: while points lack blocks, files of any of them may be brought back', async () => {
    const one = await gcScene(folder.fresh('late'));
    await one.forget(await one.save('web', 'abcdefgh'));
    await one.save('web', 'IJKL');
    const before = await one.packs();
    const other = await cloned(one);
    await other.gc();
    expect((await other.packs()).length).toBeLessThan(before.length);
    const quarantineAll = async (): Promise<void> => {
      for (const path of before)
        await one.commit({ type: 'quarantine', pack: path.slice('packs/xx/'.length), frames: 'all' });
    };
    one.wrap(happensBefore((what) => what.startsWith('link log/'), quarantineAll));
    await one.gc();
    one.wrap();
    expect(await one.packs()).toEqual(before);
    await using session = await one.bench.open();
    expect(session.vault.state.quarantined.size).toBe(before.length);
    expect(session.vault.state.condemned.size).toBe(0);
  });
});
