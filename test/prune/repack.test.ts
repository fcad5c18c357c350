import { describe, expect, it } from 'vitest';
import type { PackFacts } from '../../src/prune/pack-table.ts';
import { choosePacks } from '../../src/prune/plan-repack.ts';
import { gcScene, listed } from '../support/gc-scene.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;

/** Frames of 100,000 bytes of data. */
function pack(facts: Partial<PackFacts> & { kept: number }): PackFacts {
  const frames = 20;
  const size = 96 + 16 + 24 + 48 * frames + 100_000 * frames;
  const rest = {
    name: '',
    start: 0,
    status: 'usable',
    badFrames: new Set<number>(),
    holdsPages: false,
    doubled: 0,
  } as const;
  return { ...rest, frames, size, keptBytes: facts.kept * 100_000, ...facts };
}

describe('packs to repack', () => {
  it('are those of which less than half is needed, but not those that are not needed at all', () => {
    const packs = [pack({ kept: 0 }), pack({ kept: 1 }), pack({ kept: 9 }), pack({ kept: 10 }), pack({ kept: 20 })];
    expect(choosePacks({ packs })).toEqual([1, 2]);
  });

  it('are small ones, if there are sixteen of a kind', () => {
    const small = Array.from({ length: 15 }, () => pack({ kept: 20 }));
    const pages = Array.from({ length: 16 }, () => pack({ kept: 20, holdsPages: true }));
    expect(choosePacks({ packs: [...small, pack({ kept: 20, size: 5 * MIB, frames: 50, keptBytes: 5e6 })] })).toEqual(
      [],
    );
    expect(choosePacks({ packs: [...small, ...pages] })).toEqual(pages.map((_, n) => 15 + n));
  });

  it('are quarantined ones that have what no other pack has', () => {
    const packs = [pack({ kept: 20, status: 'quarantined' }), pack({ kept: 0, doubled: 20, status: 'quarantined' })];
    expect(choosePacks({ packs })).toEqual([0]);
  });

  it('are no packs of few short pages, whatever their headers take', () => {
    const packs = [pack({ kept: 1, frames: 1, size: 96 + 16 + 24 + 48 + 60, keptBytes: 60 })];
    expect(choosePacks({ packs })).toEqual([]);
  });
});

describe('a pack of which little is needed', () => {
  it('is stored anew, and what comes out of it is not', async () => {
    const scene = await gcScene(folder.fresh('sparse'));
    await scene.forget(await scene.save('web', 'abcdefghij'), await scene.save('web', 'abcXXXXXXX'));
    await scene.save('web', 'abcYYYYYYY');
    const before = await scene.packs();
    const { repacked, freedBytes } = await scene.gc();
    expect(repacked).toMatchObject({ packs: 1, into: 1 });
    expect(freedBytes).toBeGreaterThan(7 * 16384);
    expect((await scene.packs()).filter((path) => !before.includes(path))).toHaveLength(1);
    await scene.check();
    expect(await scene.gc()).toMatchObject({ repacked: { packs: 0 }, freedBytes: 0 });
  });

  it('stays when it cannot be read whole, which is told', async () => {
    const scene = await gcScene(folder.fresh('unreadable'));
    await scene.forget(await scene.save('web', 'abcdefghij'));
    const [path] = await scene.packs().then((all) => largest(scene, all));
    await scene.save('web', 'abcYYYYYYY');
    await using _ = await hurt(scene.bench.store, path!, flipAt(96 + 100));
    const { repacked, warnings } = await scene.gc();
    expect(repacked.packs).toBe(0);
    expect(warnings).toEqual([expect.stringContaining('cannot be read whole')]);
    expect(await scene.packs()).toContain(path);
  });

  it('stays when a block of it is needed again that was not copied', async () => {
    const scene = await gcScene(folder.fresh('again'));
    await scene.forget(await scene.save('web', 'abcdefghij'));
    await scene.save('web', 'abcYYYYYYY');
    // While it is copied: its entry has to see the new point.
    const inCopy = (what: string): boolean => what.startsWith('rename index/');
    scene.wrap(happensBefore(inCopy, () => scene.save('new', 'fghij')));
    await scene.gc();
    scene.wrap();
    await scene.check();
    await scene.gc();
    await scene.check();
  });
});

describe('many small packs', () => {
  it('are joined, once', async () => {
    const scene = await gcScene(folder.fresh('small'));
    for (let n = 0; n < 18; n++) await scene.save(`item${n}`, String.fromCharCode(97 + n));
    const { repacked } = await scene.gc();
    expect(repacked).toMatchObject({ packs: 36, into: 2 });
    expect(await scene.packs()).toHaveLength(2);
    await scene.check();
    expect(await scene.gc()).toMatchObject({ repacked: { packs: 0 } });
    await scene.save('more', 'z');
    expect(await scene.gc()).toMatchObject({ repacked: { packs: 0 } });
  });
});

describe('a quarantined pack', () => {
  it('whose blocks are nowhere else gives them to a new one, and goes', async () => {
    const scene = await gcScene(folder.fresh('rescued'));
    await scene.save('web', 'abcdef');
    for (const path of await scene.packs())
      await scene.commit({ type: 'quarantine', pack: path.slice('packs/xx/'.length), frames: [] });
    const { repacked } = await scene.gc();
    expect(repacked.packs).toBe(2);
    const { packs } = await listed(scene);
    await using session = await scene.bench.open();
    expect([...packs.keys()].filter((name) => session.vault.state.quarantined.has(name))).toEqual([]);
    await scene.check();
  });

  it('and another one with the same blocks give them to a new one once', async () => {
    const scene = await gcScene(folder.fresh('twice'));
    // Both store all blocks, since neither knows of the other.
    const other = (): Promise<string> => scene.save('db', 'abcdef');
    scene.wrap(happensBefore((what) => what.startsWith('rename index/'), other));
    await scene.save('web', 'abcdef');
    scene.wrap();
    const before = await listed(scene);
    for (const pack of before.packs.keys()) await scene.commit({ type: 'quarantine', pack, frames: [] });
    await scene.gc();
    const { entries } = await listed(scene);
    expect(entries).toHaveLength(before.entries.length / 2);
    await scene.check();
  });

  it('of which every frame is lost is condemned, and so is one whose blocks were stored again', async () => {
    const scene = await gcScene(folder.fresh('healed'));
    await scene.save('web', 'abcdef');
    const [data] = await largest(scene, await scene.packs());
    await scene.commit({ type: 'quarantine', pack: data!.slice('packs/xx/'.length), frames: 'all' });
    await scene.save('web', 'abcdef');
    const { condemned } = await scene.gc();
    expect(condemned.packs).toBe(1);
    expect(await scene.packs()).not.toContain(data);
    await scene.check();
  });

  it('whose copies elsewhere are bad stays', async () => {
    const scene = await gcScene(folder.fresh('bad-copy'));
    const ref = await scene.save('web', 'abcdef');
    const [data] = await largest(scene, await scene.packs());
    await scene.commit({ type: 'quarantine', pack: data!.slice('packs/xx/'.length), frames: [] });
    await scene.save('web', 'abcdef');
    const [copy] = (await largest(scene, await scene.packs())).filter((path) => path !== data);
    {
      await using _ = await hurt(scene.bench.store, copy!, flipAt(96 + 100));
      expect(await scene.gc()).toMatchObject({ condemned: { packs: 0 } });
      expect(await scene.packs()).toContain(data);
    }
    expect(await scene.gc()).toMatchObject({ condemned: { packs: 1 } });
    expect((await scene.points()).get(ref)).toBeDefined();
    await scene.check();
  });
});

describe('a repack whose job is closed by somebody', () => {
  it('throws its packs away and begins anew', async () => {
    const scene = await gcScene(folder.fresh('closed'));
    await scene.forget(await scene.save('web', 'abcdefghij'));
    await scene.save('web', 'abcYYYYYYY');
    let closed = '';
    scene.wrap(
      happensBefore(
        (what) => what.startsWith('rename index/'),
        async () => {
          await using session = await scene.bench.open();
          const [job] = session.vault.state.opened.keys();
          await session.vault.commit(() => ({ type: 'abandon', job: job! }));
          closed = job!;
        },
      ),
    );
    const { repacked } = await scene.gc();
    scene.wrap();
    expect(closed).not.toBe('');
    expect(repacked).toMatchObject({ packs: 1, into: 1 });
    await scene.check();
    // What the closed job stored is nobody's.
    expect((await scene.gc()).freedBytes).toBeGreaterThan(0);
    expect(await scene.gc()).toMatchObject({ repacked: { packs: 0 }, freedBytes: 0 });
    const { packs } = await listed(scene);
    expect((await scene.packs()).map((path) => path.slice('packs/xx/'.length)).sort()).toEqual(
      [...packs.keys()].sort(),
    );
  });
});

/** Largest first. */
async function largest(scene: Awaited<ReturnType<typeof gcScene>>, paths: string[]): Promise<string[]> {
  const sizes = new Map<string, number>();
  for (const path of paths) sizes.set(path, (await scene.bench.store.size(path)) ?? 0);
  return paths.sort((a, b) => sizes.get(b)! - sizes.get(a)!);
}
