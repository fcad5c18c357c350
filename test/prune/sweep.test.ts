import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { lockItem } from '../../src/jobs/item-lock.ts';
import { createVault, openVault } from '../../src/jobs/session.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { findOrphans } from '../../src/prune/orphans.ts';
import { createStaging, freshPrefix } from '../../src/staging/staging-location.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { AT_ONCE, checkPoint, diskOf, type GcScene, gcScene, listed } from '../support/gc-scene.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { diesBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });

async function put(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  await using file = await store.create(path);
  await file.write([bytes]);
}

/** A pack that no entry adds: another one with other bytes in its header. */
async function stray({ bench, packs }: GcScene, change: (header: Uint8Array) => void): Promise<string> {
  const bytes = await bench.store.get((await packs())[0]!);
  change(bytes);
  const path = `packs/ab/ab${'0'.repeat(62)}`;
  await put(bench.store, path, bytes);
  return path;
}

describe('a sweep leaves alone', () => {
  it('what is of a job that the log does not know, and tells of it', async () => {
    const scene = await gcScene(folder.fresh('unknown'));
    await scene.save('web', 'abc');
    const path = await stray(scene, (header) => header.fill(9, 32, 48));
    const { warnings } = await scene.gc();
    expect(warnings).toEqual([expect.stringContaining(`${path} is of no run that the log knows`)]);
    expect(await scene.packs()).toContain(path);
  });

  it('what has no header that can be read, and tells of it', async () => {
    const scene = await gcScene(folder.fresh('unreadable'));
    await scene.save('web', 'abc');
    const path = await stray(scene, (header) => header.fill(0, 0, 8));
    const { warnings } = await scene.gc();
    expect(warnings).toEqual([expect.stringContaining('left alone')]);
    expect(await scene.packs()).toContain(path);
  });

  it('what a job stored that is open', async () => {
    const scene = await gcScene(folder.fresh('open'));
    await scene.save('web', 'abc');
    scene.wrap(diesBefore('rename index/'));
    await expect(scene.save('web', 'xyz')).rejects.toThrow();
    scene.wrap();
    const packs = await scene.packs();
    const kept = await scene.gc({ softDelete: 0 });
    expect(kept).toMatchObject({ swept: { packs: 0, leftovers: 0, bytes: 0 }, warnings: [] });
    expect(await scene.packs()).toEqual(packs);
    const [one] = kept.unfinished;
    expect(kept.unfinished).toEqual([
      { item: 'web', opened: expect.any(String), bytes: expect.any(Number), at: one?.at },
    ]);
    expect((await scene.gc({ softDelete: 0, dryRun: true })).unfinished).toEqual(kept.unfinished);
    const minutes = (Date.parse(one?.at ?? '') - Date.parse(one?.opened ?? '')) / 60_000;
    expect(Math.abs(minutes - 24 * 60)).toBeLessThanOrEqual(1);
    const dry = await scene.gc({ ...AT_ONCE, dryRun: true });
    const freed = await scene.gc();
    expect(freed).toMatchObject({ swept: { packs: 2, leftovers: 1 }, abandoned: [{ item: 'web' }], unfinished: [] });
    // With its journal, and what it was writing.
    expect([freed.freedBytes, dry.freedBytes, freed.swept.bytes]).toEqual([one?.bytes, one?.bytes, one?.bytes]);
  });

  it('all that no entry adds, when one live segment cannot be read', async () => {
    const scene = await gcScene(folder.fresh('hidden'));
    await scene.save('web', 'abc');
    const path = await stray(scene, () => undefined);
    await using session = await scene.bench.open();
    const { vault } = session;
    expect((await findOrphans(vault, {})).packs).toMatchObject([{ path }]);
    await using _ = await hurt(scene.bench.store, `index/${vault.state.segments[0]!.segment}`, flipAt(10));
    const { packs, warnings } = await findOrphans(vault, {});
    expect(packs).toEqual([]);
    expect(warnings).toHaveLength(1);
  });

  it('what a folder may hold that cannot be listed, and goes on with the others', async () => {
    const scene = await gcScene(folder.fresh('listing'));
    await scene.save('web', 'abc');
    await stray(scene, () => undefined);
    scene.wrap((store) => ({
      ...store,
      list: (path) =>
        path === 'packs/ab' ? Promise.reject(new VhdvaultError('IO', 'listing failed')) : store.list(path),
    }));
    expect(await scene.gc()).toMatchObject({ swept: { packs: 0 }, warnings: [expect.stringContaining('packs/ab')] });
    scene.wrap();
    expect(await scene.gc()).toMatchObject({ swept: { packs: 1 }, warnings: [] });
  });

  it('the names of packs in the log that a live segment lists: they would be usable again', async () => {
    const scene = await gcScene(folder.fresh('listed'));
    const refs: string[] = [];
    for (let n = 0; n < 9; n++) refs.push(await scene.save(`item${n}`, `${n}abcdefgh`.slice(0, 2 + n)));
    await scene.gc();
    await scene.forget(refs[8]!);
    await scene.gc();
    const state = async (): Promise<{ condemned: string[]; listed: string[] }> => {
      const { packs } = await listed(scene);
      await using session = await scene.bench.open();
      const condemned = [...session.vault.state.condemned.keys()];
      return { condemned, listed: condemned.filter((name) => packs.has(name)) };
    };
    const first = await state();
    expect(first.condemned.length).toBeGreaterThan(0);
    expect(first.listed).toEqual(first.condemned);
    expect(await scene.gc()).toMatchObject({ freedBytes: 0, swept: { packs: 0 } });
    await scene.save('item9', 'abcdefghijk');
    await scene.check();
    await scene.forget(...refs.slice(0, 6));
    await scene.gc();
    expect(await state()).toEqual({ condemned: [], listed: [] });
    await scene.check();
  });
});

describe('a sweep', () => {
  it('deletes nothing before the log that gave it up is durable, whoever wrote it', async () => {
    const scene = await gcScene(folder.fresh('durable'));
    await scene.forget(await scene.save('web', 'abc'));
    await scene.gc({ softDelete: 0 });
    const log: string[] = [];
    scene.wrap((store) => ({
      ...store,
      syncFolder: (path) => store.syncFolder(path).then(() => void log.push(`sync ${path}`)),
      remove: (path) => store.remove(path).then(() => void log.push(`remove ${path}`)),
    }));
    await scene.gc({ softDelete: 0, grace: 0 });
    const first = log.findIndex((what) => /^remove (packs|index)/.test(what));
    expect(first).toBeGreaterThan(0);
    expect(log.slice(0, first)).toContain('sync log');
    expect(log.slice(first)).toEqual(expect.arrayContaining([expect.stringMatching(/^sync packs/), 'sync index']));
  });
});

describe('leftovers', () => {
  it('of dead runs go, whatever they were doing', async () => {
    const scene = await gcScene(folder.fresh('leftovers'));
    await scene.save('web', 'abc');
    const { store } = scene.bench;
    await using session = await scene.bench.open();
    const { vault } = session;
    await createStaging(vault, '1'.repeat(32), { item: 'web', started: 0 });
    await createStaging(vault, '2'.repeat(32), { item: 'never-saved', started: 0 });
    await createStaging(vault, '3'.repeat(32), { item: '(gc)', started: vault.clock.now() });
    const half = await createStaging(vault, '4'.repeat(32), { item: 'web', started: 0 });
    await store.remove(`${half.folder}/journal`);
    await put(store, `${half.folder}/part`, Uint8Array.of(1));
    for (const path of [
      'staging/entry-0123abcd',
      'staging/checkpoint-0123abcd',
      `${freshPrefix(vault, 'web')}01234567/pack`,
      'staging/init/probe',
      ...[32, 64, 96].map((n) => `ckpt/${String(n).padStart(20, '0')}`),
    ])
      await put(store, path, Uint8Array.of(1));
    await scene.gc();
    expect(await store.list('staging')).toEqual([]);
    expect((await store.list('ckpt')).map(Number)).toEqual([64, 96]);
  });

  it('of live runs, and of nobody knows whom, stay', async () => {
    const scene = await gcScene(folder.fresh('live'));
    await scene.save('web', 'abc');
    const { store } = scene.bench;
    await using session = await scene.bench.open();
    const { vault } = session;
    await using _ = await lockItem(vault, 'web');
    const live = await createStaging(vault, '1'.repeat(32), { item: 'web', started: 0 });
    const torn = await createStaging(vault, '3'.repeat(32), { item: 'db', started: 0 });
    await store.remove(`${torn.folder}/journal`);
    await put(store, `${torn.folder}/journal`, Uint8Array.of(1));
    await put(store, `${freshPrefix(vault, 'web')}01234567/pack`, Uint8Array.of(1));
    await put(store, `staging/new-${'5'.repeat(32)}-01234567/pack`, Uint8Array.of(1));
    await vault.openJob('1'.repeat(32), live.folder);
    const before = await store.list('staging');
    expect(await scene.gc()).toMatchObject({ abandoned: [] });
    expect(await store.list('staging')).toEqual(before);
  });

  it('of a gc that died go with the next one, however short ago that was', async () => {
    const scene = await gcScene(folder.fresh('dead-gc'));
    await scene.forget(await scene.save('web', 'abcdefghij'));
    await scene.save('web', 'abcYYYYYYY');
    scene.wrap(diesBefore('rename index/'));
    await expect(scene.gc()).rejects.toThrow();
    scene.wrap();
    expect(await scene.bench.store.list('staging')).toHaveLength(1);
    expect(await scene.gc({ softDelete: 0 })).toMatchObject({ abandoned: [{ item: '(gc)' }], warnings: [] });
    expect(await scene.bench.store.list('staging')).toEqual([]);
    await scene.check();
  });
});

describe('the lock', () => {
  it('lets one gc work at a time, and tells of the other', async () => {
    const scene = await gcScene(folder.fresh('lock'));
    await using session = await scene.bench.open();
    await using _ = await lockItem(session.vault, '(gc)');
    await expect(scene.gc()).rejects.toMatchObject({
      code: 'ITEM_LOCKED',
      message: expect.stringMatching(/another gc, or a repair, is at work \(process \d+ on /),
    });
    await scene.gc({ dryRun: true });
  });

  it('of the vault, where one writer is allowed at a time, is the only one', async () => {
    const [home, name] = [folder.fresh('single'), 'single-writer'];
    const noLinks = (): Promise<never> =>
      Promise.reject(new VhdvaultError('IO', 'no links', { details: { system: 'ENOTSUP' } }));
    wrapMemoryStore(name, (store) => ({ ...store, link: noLinks }));
    const parts = { store: { kind: 'memory', name } as const, pool: openInThreadPool(1), reserve: 1024 };
    const options = { cache: join(home, 'cache'), state: join(home, 'state'), parts };
    await mkdir(home);
    await createVault(home, { ...options, unencrypted: true });
    await using session = await openVault(home, options);
    const save = async (letters: string): Promise<string> =>
      (await backup(session, 'web', [await rawDisk(join(home, 'disk'), diskOf(letters))])).point;
    const gone = await save('abcdefgh');
    const kept = await save('abcdXYZW');
    await session.vault.commit(() => ({ type: 'forget', points: [gone.slice(1)] }));
    expect(await gc(session, AT_ONCE)).toMatchObject({ condemned: { points: 1 }, warnings: [] });
    await checkPoint(session, `web@${kept}`, diskOf('abcdXYZW'));
    await using _ = await lockItem(session.vault, 'web');
    await expect(gc(session, AT_ONCE)).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
  });
});
