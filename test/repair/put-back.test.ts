import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createVault, openVault } from '../../src/jobs/session.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import type { RepairVaultResult } from '../../src/jobs/vault-repair-types.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { logEntryPath } from '../../src/vault/vault.ts';
import { readAll } from '../support/copied-store.ts';
import { diseasesOf } from '../support/every-damage.ts';
import { CHEAP_KDF } from '../support/fixed-parts.ts';
import { type GcScene, gcScene } from '../support/gc-scene.ts';
import { flipAt, hurt } from '../support/hurt-vault.ts';
import { happensBefore, withoutLocks } from '../support/race.ts';
import { type Faults, storeFaults } from '../support/store-faults.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });

async function newScene(): Promise<GcScene> {
  const scene = await gcScene(folder.fresh('scene'));
  await scene.save('web', 'abcd');
  await scene.save('web', 'abXd');
  return scene;
}

async function repair({ bench }: GcScene, dryRun = false): Promise<RepairVaultResult> {
  await using session = await bench.open();
  return await repairVault(session, { dryRun });
}

async function lastOf({ bench }: GcScene): Promise<number> {
  return (await bench.store.list('log')).length;
}

/** Where the machine keeps its copies. */
async function copiesOf({ bench }: GcScene): Promise<string> {
  const [vault] = await readdir(bench.cache);
  return join(bench.cache, vault!, 'log');
}

describe('an entry of the log that this machine has a copy of', () => {
  it('is put back whatever happened to it and wherever it stands: nothing is lost, nobody is told that the vault went back', async () => {
    const scene = await newScene();
    const { bench } = scene;
    const [last, files] = [await lastOf(scene), await readAll(bench.store)];
    const other = { state: join(bench.folder, 'state-of-another'), cache: join(bench.folder, 'cache-of-another') };
    await (await bench.open(other))[Symbol.asyncDispose]();
    for (let n = 2; n <= last; n++) {
      const path = logEntryPath(n);
      for (const { name, bytes } of diseasesOf(files.get(path)!, files.get(logEntryPath(n - 1))!)) {
        // Whose newest entry is missing, went back: that is no damage.
        if (n === last && bytes === undefined) continue;
        await using _ = await hurt(bench.store, path, () => bytes);
        const before = await readAll(bench.store);
        expect((await repair(scene, true)).actions, `${path} ${name}`).toMatchObject([
          { action: 'put-back', where: path },
        ]);
        expect(await readAll(bench.store)).toEqual(before);
        const { ok, actions, warnings } = await repair(scene);
        expect({ ok, warnings, told: actions.map(({ action }) => action) }, `${path} ${name}`).toEqual({
          ...{ ok: true, warnings: [], told: ['put-back'] },
        });
        expect(await bench.store.get(path), `${path} ${name}`).toEqual(files.get(path));
        await (await bench.open(other))[Symbol.asyncDispose]();
      }
    }
    await scene.check();
  }, 60_000);

  it('is put back with others, and the next backup goes on', async () => {
    const scene = await newScene();
    const { store } = scene.bench;
    const last = await lastOf(scene);
    for (const n of [2, 3, last]) {
      const path = logEntryPath(n);
      const bytes = flipAt(130)(Uint8Array.from(await store.get(path)));
      await store.remove(path);
      await using file = await store.create(path);
      await file.write([bytes]);
    }
    expect(await repair(scene)).toMatchObject({
      ok: true,
      actions: [last, 3, 2].map((n) => ({ action: 'put-back', where: logEntryPath(n) })),
    });
    await scene.save('web', 'abXY');
    await scene.check();
  });

  it.each([0, 1])(
    'is put back by the next repair where one dies (%i before the newest)',
    async (before) => {
      const scene = await newScene();
      const path = logEntryPath((await lastOf(scene)) - before);
      const files = await readAll(scene.bench.store);
      const repairAt = async (k: number): Promise<Faults> => {
        const faults = storeFaults(k, 'dead');
        scene.wrap((store) => faults.wrap(store));
        await repair(scene).catch(() => undefined);
        scene.wrap();
        return faults;
      };
      let log: string[];
      {
        await using _ = await hurt(scene.bench.store, path, flipAt(130));
        ({ log } = await repairAt(0));
      }
      const writes = log.flatMap((what, n) => (/^(get|read|open|size|list|free|close)/.test(what) ? [] : [n + 1]));
      expect(writes.length).toBeGreaterThan(8);
      for (const k of writes) {
        await using _ = await hurt(scene.bench.store, path, flipAt(130));
        const faults = await repairAt(k);
        expect(await scene.bench.store.size(path), faults.what).toBeDefined();
        expect(await repair(scene), faults.what).toMatchObject({ ok: true });
        expect(await scene.bench.store.get(path)).toEqual(files.get(path));
      }
      await scene.check();
    },
    60_000,
  );

  it('is not put back over what others wrote in its place meanwhile', async () => {
    const scene = await newScene();
    const { bench } = scene;
    const path = logEntryPath(await lastOf(scene));
    const bytes = flipAt(130)(Uint8Array.from(await bench.store.get(path)));
    await bench.store.remove(path);
    {
      await using file = await bench.store.create(path);
      await file.write([bytes]);
    }
    const other = { state: join(bench.folder, 'state-of-another'), cache: join(bench.folder, 'cache-of-another') };
    const quicker = happensBefore(
      (what) => what.startsWith('create quarantine/'),
      async () => {
        scene.wrap(withoutLocks);
        await using session = await bench.open(other);
        expect((await repairVault(session)).actions).toMatchObject([{ action: 'set-aside' }]);
        await session.vault.commit(() => ({ type: 'setting', key: 'theirs', value: new Uint8Array(1) }));
      },
    );
    scene.wrap(quicker);
    // It had seen that entry whole: the history is another one now, of which it is told.
    await expect(repair(scene)).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
    scene.wrap();
    await using session = await bench.open({ ...other, acceptRollback: true });
    expect(session.vault.damage).toBeUndefined();
    expect([...session.vault.state.settings.keys()]).toEqual(['theirs']);
  });

  it('is the one that this user saw, where it is the newest; without that it is no proof', async () => {
    const scene = await newScene();
    const { bench } = scene;
    const last = await lastOf(scene);
    await using _ = await hurt(bench.store, logEntryPath(last), flipAt(130));
    await rm(bench.state, { recursive: true });
    expect((await repair(scene, true)).actions).toMatchObject([{ action: 'set-aside' }]);
  });

  it('is not put back where what followed it was cut, too: then the vault went back, and who saw that is told', async () => {
    const scene = await newScene();
    const { bench } = scene;
    const last = await lastOf(scene);
    await bench.store.remove(logEntryPath(last));
    await using _ = await hurt(bench.store, logEntryPath(last - 1), flipAt(130));
    await expect(bench.open()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
    await using session = await bench.open({ acceptRollback: true });
    expect((await repairVault(session)).actions).toMatchObject([{ action: 'set-aside' }]);
  });

  it('is not put back where the log was cut before it', async () => {
    const scene = await newScene();
    const { bench } = scene;
    const last = await lastOf(scene);
    await using _ = await hurt(bench.store, logEntryPath(last), () => undefined);
    await using session = await bench.open({ acceptRollback: true });
    expect(await repairVault(session)).toMatchObject({ ok: true, actions: [] });
  });

  it.each<[string, string, (store: Store) => Store]>([
    [
      'IO',
      'that does not arrive',
      (store) => ({
        ...store,
        async create(path) {
          const file = await store.create(path);
          return path.startsWith('staging/entry-') ? { ...file, write: async () => undefined } : file;
        },
      }),
    ],
    [
      'ITEM_LOCKED',
      'of a repair that is taken for dead',
      (store) => ({
        ...store,
        async create(path) {
          const isItsOwn = path.startsWith('staging/entry-');
          if (isItsOwn) for (const name of await store.list('locks')) await store.remove(`locks/${name}`);
          return await store.create(path);
        },
      }),
    ],
  ])('is not given up for a write that fails (%s: one %s)', async (code, _, hinder) => {
    const scene = await newScene();
    const path = logEntryPath(await lastOf(scene));
    await using __ = await hurt(scene.bench.store, path, flipAt(130));
    scene.wrap(hinder);
    await expect(repair(scene)).rejects.toMatchObject({ code });
    scene.wrap();
    expect(await repair(scene)).toMatchObject({ ok: true, actions: [{ action: 'put-back' }] });
    await scene.check();
  });

  it('is not taken from a copy that is damaged, or another entry', async () => {
    const scene = await newScene();
    const last = await lastOf(scene);
    const copies = await copiesOf(scene);
    const nameOf = async (n: number): Promise<string> =>
      (await readdir(copies)).find((name) => Number(name.slice(0, 20)) === n)!;
    const [mine, other] = [await nameOf(last - 1), await nameOf(last - 2)];
    const whole = await readFile(join(copies, mine));
    await using _ = await hurt(scene.bench.store, logEntryPath(last - 1), flipAt(130));
    for (const bytes of [flipAt(120)(Uint8Array.from(whole)), new Uint8Array(0), await readFile(join(copies, other))]) {
      await writeFile(join(copies, mine), bytes);
      expect(await repair(scene)).toMatchObject({ ok: false, actions: [] });
    }
    await writeFile(join(copies, mine), whole);
    expect(await repair(scene)).toMatchObject({ ok: true, actions: [{ action: 'put-back' }] });
  });

  it('is one of the newest: older ones are passed over, and their copies go', async () => {
    const scene = await newScene();
    await using session = await scene.bench.open();
    while (session.vault.state.sequence < 100)
      await session.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
    await session.rememberHead();
    const kept = (await readdir(await copiesOf(scene))).map((name) => Number(name.slice(0, 20)));
    expect(kept).toEqual(Array.from({ length: 64 }, (_, n) => n + 37));
  });
});

it('an entry with a folder in its place is put back and leaves nothing behind', async () => {
  const path = folder.fresh('real');
  const options = {
    ...{ cache: folder.fresh('cache'), state: folder.fresh('state'), threads: 1, unencrypted: true },
    parts: { kdf: CHEAP_KDF, reserve: 0 },
  };
  await createVault(path, options);
  {
    await using session = await openVault(path, options);
    for (let n = 0; n < 3; n++)
      await session.vault.commit(() => ({ type: 'setting', key: `${n}`, value: new Uint8Array(0) }));
    await session.rememberHead();
  }
  for (const n of [2, 3, 4]) {
    const entry = join(path, logEntryPath(n));
    const bytes = await readFile(entry);
    await rm(entry);
    await mkdir(entry);
    await writeFile(join(entry, 'of a stranger'), 'x');
    await using session = await openVault(path, options);
    expect((await repairVault(session)).actions).toMatchObject([{ action: 'put-back', where: logEntryPath(n) }]);
    expect(await readFile(entry)).toEqual(bytes);
    expect(await readdir(join(path, 'staging'))).toEqual([]);
    expect(session.vault.damage).toBeUndefined();
  }
  expect((await readdir(join(path, 'quarantine'))).filter((name) => name.startsWith('folder-'))).toHaveLength(3);
});
