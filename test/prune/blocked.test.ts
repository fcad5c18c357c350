import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { type Store, writeObject } from '../../src/vault/open-store.ts';
import { AT_ONCE, type GcScene, gcScene, listed } from '../support/gc-scene.ts';
import { failReads, flipAt, hurt, readMaps } from '../support/hurt-vault.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });

/** Where the pages of an item's latest point lie, from the root down. */
async function pagesOf(scene: GcScene, item: string): Promise<{ path: string; at: number }[]> {
  const { disks, places } = await readMaps(scene.bench, item);
  return disks[0]!.pages.map(({ id }) => {
    const { pack, offset } = places.get(id)![0]!;
    return { path: `packs/${pack.slice(0, 2)}/${pack}`, at: offset + 20 };
  });
}

describe('what cannot be read', () => {
  it.each([0, 1, 2, 3])('as a page of a live point lets gc refuse, naming point and cure (page %i)', async (n) => {
    const scene = await gcScene(folder.fresh('page'));
    await scene.forget(await scene.save('db', 'xyz'));
    const ref = await scene.save('web', 'abcdef');
    const page = (await pagesOf(scene, 'web'))[n]!;
    const before = await scene.packs();
    await using _ = await hurt(scene.bench.store, page.path, flipAt(page.at));
    await expect(scene.gc()).rejects.toMatchObject({
      code: 'GC_BLOCKED',
      message: expect.stringContaining(ref),
      hint: expect.stringMatching(/vhdvault repair.*vhdvault forget.*--force if.*vhdvault unpin.*vhdvault gc/),
      details: { point: ref },
    });
    await expect(scene.gc()).rejects.toMatchObject({ hint: expect.not.stringContaining('--soft-delete') });
    expect(await scene.packs()).toEqual(before);
    // As the hint says: nothing else is given up for it.
    const other = await scene.save('db', 'uvw');
    await scene.forget(ref, other);
    await scene.gc({});
    expect([...(await scene.points()).keys()]).toEqual(expect.arrayContaining([ref, other]));
  });

  it('names the end of a minimum retention that keeps it from being forgotten', async () => {
    const scene = await gcScene(folder.fresh('protected'));
    const ref = await scene.save('web', 'abcdef');
    const page = (await pagesOf(scene, 'web'))[3]!;
    await scene.commit({ type: 'protect', retention: 86_400_000 });
    await using _ = await hurt(scene.bench.store, page.path, flipAt(page.at));
    await expect(scene.gc()).rejects.toMatchObject({
      details: { point: ref },
      hint: expect.stringMatching(/from \d{4}-.*Z on/),
    });
  });

  it('lets what dead runs left go all the same', async () => {
    const scene = await gcScene(folder.fresh('leftovers'));
    await scene.save('web', 'abcdef');
    const { store } = scene.bench;
    for (const path of ['staging/entry-0123abcd', `staging/AzureBackup-${'1'.repeat(32)}/pack`])
      await writeObject(store, path, Uint8Array.of(1));
    const page = (await pagesOf(scene, 'web'))[3]!;
    await using _ = await hurt(store, page.path, flipAt(page.at));
    await expect(scene.gc()).rejects.toMatchObject({ code: 'GC_BLOCKED' });
    expect(await store.list('staging')).toEqual([]);
    expect(await store.list('locks')).toEqual([]);
  });

  it('as a page of a point that is pinned does, too', async () => {
    const scene = await gcScene(folder.fresh('pinned'));
    const ref = await scene.save('web', 'abcdef');
    const page = (await pagesOf(scene, 'web'))[3]!;
    await scene.forget(ref);
    await scene.commit({ type: 'pin', point: ref.slice(ref.indexOf('@') + 2), until: Number.MAX_SAFE_INTEGER });
    await using _ = await hurt(scene.bench.store, page.path, flipAt(page.at));
    await expect(scene.gc()).rejects.toMatchObject({ code: 'GC_BLOCKED' });
  });

  it('because of the device counts the same: it is no proof that nothing is there', async () => {
    const scene = await gcScene(folder.fresh('device'));
    await scene.save('web', 'abcdef');
    const page = (await pagesOf(scene, 'web'))[3]!;
    using _ = failReads(scene.bench.storeAddress, (path, at) =>
      path === page.path && at > 0
        ? new VhdvaultError('IO', 'input/output error', { details: { system: 'EIO' } })
        : undefined,
    );
    await expect(scene.gc()).rejects.toMatchObject({
      code: 'GC_BLOCKED',
      message: expect.stringContaining('input/output error'),
      hint: expect.stringMatching(/look at the disk/),
    });
  });

  it('is passed over where another copy of the page is whole', async () => {
    const scene = await gcScene(folder.fresh('copy'));
    await scene.save('web', 'abcdef');
    const first = await pagesOf(scene, 'web');
    for (const path of new Set(first.map((page) => page.path)))
      await scene.commit({ type: 'quarantine', pack: path.slice('packs/xx/'.length), frames: [] });
    await scene.save('web', 'abcdef');
    await using _ = await hurt(scene.bench.store, first[2]!.path, flipAt(first[2]!.at));
    const { warnings } = await scene.gc({ ...AT_ONCE, grace: 1e9 });
    expect(warnings).toEqual([]);
  });

  it('as a page of a forgotten point costs only what is below it, and is told', async () => {
    const scene = await gcScene(folder.fresh('forgotten'));
    const gone = await scene.save('web', 'abcdef');
    const leaf = (await pagesOf(scene, 'web'))[3]!;
    await scene.forget(gone);
    await scene.save('db', 'xyz');
    await using _ = await hurt(scene.bench.store, leaf.path, flipAt(leaf.at));
    const { warnings, condemned } = await scene.gc({ grace: 0 });
    expect(warnings).toEqual([expect.stringContaining(gone)]);
    expect(condemned.points).toBe(0);
  });

  it('as a page of a forgotten point that is damaged for a moment only, does not cost what is below it when the point is brought back', async () => {
    const scene = await gcScene(folder.fresh('moment'));
    const gone = await scene.save('web', 'abcdef');
    const leaf = (await pagesOf(scene, 'web'))[3]!;
    await scene.forget(gone);
    await scene.save('db', 'xyz');
    let isBroken = true;
    const broken = (path: string, at: number, length: number): boolean =>
      isBroken && path === leaf.path && at <= leaf.at && leaf.at < at + length;
    const failing = (store: Store): Store => ({
      ...store,
      open: async (path) => {
        const file = await store.open(path);
        const read: typeof file.read = (at, target) =>
          broken(path, at, target.byteLength)
            ? Promise.reject(new VhdvaultError('VAULT_DAMAGED', 'wrong bytes'))
            : file.read(at, target);
        return { ...file, size: file.size, read };
      },
    });
    // What is below the leaf is about to be given up.
    const atCommit = happensBefore(
      (what) => what.startsWith('create staging/entry-'),
      async () => {
        isBroken = false;
        await scene.unforget(gone);
      },
    );
    scene.wrap((store) => atCommit(failing(store)));
    const { warnings } = await scene.gc({ grace: 0 });
    scene.wrap();
    expect(warnings).toHaveLength(1);
    expect((await scene.points()).get(gone)?.forgotten).toBeUndefined();
    await scene.check();
  });

  it.each(['flipped', 'missing', 'another one'] as const)('as a segment (%s) lets gc refuse', async (how) => {
    const scene = await gcScene(folder.fresh('segment'));
    await scene.forget(await scene.save('db', 'xyz'));
    await scene.save('web', 'abcdef');
    const [one, other] = (await scene.bench.store.list('index')).map((name) => `index/${name}`);
    const stranger = await scene.bench.store.get(other!);
    const change = { flipped: flipAt(96 + 50), missing: () => undefined, 'another one': () => stranger }[how];
    const before = await scene.packs();
    await using _ = await hurt(scene.bench.store, one!, change);
    await expect(scene.gc()).rejects.toMatchObject({
      code: 'GC_BLOCKED',
      message: expect.stringContaining('index'),
      hint: expect.stringContaining('vhdvault repair'),
    });
    expect(await scene.packs()).toEqual(before);
  });

  it('as a block, which gc has no need to read, does not keep it from its work', async () => {
    const scene = await gcScene(folder.fresh('block'));
    await scene.save('web', 'abcdef');
    const { disks, places } = await readMaps(scene.bench, 'web');
    const place = places.get(disks[0]!.blocks[0]!)![0]!;
    await using _ = await hurt(
      scene.bench.store,
      `packs/${place.pack.slice(0, 2)}/${place.pack}`,
      flipAt(place.offset + 20),
    );
    expect(await scene.gc()).toMatchObject({ warnings: [] });
  });

  it.each(['IO', 'NO_PERMISSION'] as const)(
    'in this moment (%s) keeps what a forgotten point needs, which can be brought back',
    async (code) => {
      const scene = await gcScene(folder.fresh('moment'));
      const gone = await scene.save('web', 'abcdef');
      const page = (await pagesOf(scene, 'web'))[3]!;
      await scene.forget(gone);
      await scene.save('db', 'xyz');
      {
        using _ = failReads(scene.bench.storeAddress, (path, at) =>
          path === page.path && at > 0 ? new VhdvaultError(code, 'not now') : undefined,
        );
        await expect(scene.gc({ grace: 0 })).rejects.toMatchObject({ code: 'GC_BLOCKED' });
      }
      await scene.unforget(gone);
      await scene.check();
    },
  );

  it('any more, since its pack was lost, is told and hinders nothing', async () => {
    const scene = await gcScene(folder.fresh('lost'));
    const ref = await scene.save('web', 'abcdef');
    const { disks, places } = await readMaps(scene.bench, 'web');
    const { pack } = places.get(disks[0]!.blocks[0]!)![0]!;
    await scene.commit({ type: 'quarantine', pack, frames: 'all' });
    const { warnings, condemned } = await scene.gc();
    expect(warnings).toEqual([expect.stringContaining(`${ref}: blocks that are needed lie in no pack`)]);
    // It may be brought back from a copy.
    expect(condemned.packs).toBe(0);
    expect((await listed(scene)).packs.has(pack)).toBe(true);
    await scene.save('web', 'abcdef');
    expect(await scene.gc()).toMatchObject({ warnings: [], condemned: { packs: 1 } });
    expect((await listed(scene)).packs.has(pack)).toBe(false);
  });
});

describe('an index that fills more than memory', () => {
  it('is marked in several passes, to the same end', async () => {
    const [one, many] = [await gcScene(folder.fresh('one')), await gcScene(folder.fresh('many'))];
    const results = [];
    for (const [scene, idsPerPass] of [
      [one, undefined],
      [many, 4],
    ] as const) {
      const refs: string[] = [];
      for (let n = 0; n < 9; n++)
        refs.push(await scene.save(n % 2 ? 'web' : 'db', 'abcdefghijklmnopqrstuvwxyz'.slice(n, n + 9) + n));
      await scene.forget(refs[0]!, refs[3]!, refs[6]!);
      results.push(await scene.gc({ ...AT_ONCE, ...(idsPerPass !== undefined && { idsPerPass }) }));
      await scene.check();
    }
    // Not their bytes: names are random, and not all compress to the same.
    const facts = results.map(({ condemned, repacked, merged }) => [
      condemned.points,
      condemned.packs,
      repacked.packs,
      repacked.into,
      merged,
    ]);
    expect(facts[1]).toEqual(facts[0]);
    expect((await many.packs()).length).toBe((await one.packs()).length);
  });
});
