import { mkdir, readFile, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { VhdvaultError } from '../../src/base/errors.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { lockForWriting } from '../../src/jobs/lock-for-writing.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { writeLog } from '../../src/jobs/write-log.ts';
import { findKeptEntries, putEntryBack } from '../../src/repair/put-back.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { addSlot, removeSlot } from '../../src/vault/key-slots.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { logEntryPath, type Vault, writingPath } from '../../src/vault/vault.ts';
import { putFile } from '../support/copied-store.ts';
import { CHEAP_KDF } from '../support/fixed-parts.ts';
import { AT_ONCE, type GcScene, gcScene, idOf } from '../support/gc-scene.ts';
import { ioFailure, readMaps } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const DAY = 24 * 3_600_000;

function wrap({ bench }: GcScene, change: (store: Store) => Store = (store) => store): void {
  const { storeAddress } = bench;
  if (storeAddress.kind === 'memory') wrapMemoryStore(storeAddress.name, change);
}

/** Entries that are not there yet cannot be read while `isFailing`. */
async function failNewEntries(scene: GcScene, isFailing: () => boolean): Promise<(store: Store) => Store> {
  const raw = scene.bench.store;
  const known = new Set((await raw.list('log')).map((name) => `log/${name}`));
  return (store) => ({
    ...store,
    get: async (path) => {
      if (isFailing() && path.startsWith('log/') && !known.has(path) && (await raw.size(path))) throw ioFailure();
      return await store.get(path);
    },
  });
}

describe('a log that cannot be read in the middle of a run', () => {
  it('stops a gc: what another one moved meanwhile is not taken for lost', async () => {
    const scene = await gcScene(folder.fresh('mark'));
    const { bench } = scene;
    const soft = await scene.save('db', 'PQRS');
    const { disks, places } = await readMaps(bench, 'db');
    const page = packPath(places.get(disks[0]!.pages[0]!.id)![0]!.pack);
    await scene.save('db', 'x   ');
    const letters = 'abcdefghijklmnopqrstuv';
    const shrink = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) await scene.save('web', letters.slice(0, 22 - n).padEnd(22));
    };
    await shrink(0, 10);
    await scene.gc({ grace: 0 });
    await shrink(10, 15);
    await scene.forget(soft);
    const how = { grace: 0, softDelete: 14 * DAY };
    let state: 'armed' | 'other' | 'failing' | 'done' = 'armed';
    const failing = await failNewEntries(scene, () => {
      const isNow = state === 'failing';
      if (isNow) state = 'done';
      return isNow;
    });
    wrap(scene, (store) => ({
      ...failing(store),
      open: async (path) => {
        if (state === 'armed' && path === page) {
          state = 'other';
          await beOvertaken(scene, page, how);
          state = 'failing';
        }
        return await store.open(path);
      },
    }));
    {
      await using session = await bench.open();
      await expect(gc(session, how)).rejects.toMatchObject({ code: 'IO' });
      expect(state).toBe('done');
    }
    wrap(scene);
    await scene.unforget(soft);
    await scene.check();
    await using session = await bench.open();
    expect(session.vault.state.points.has(idOf(soft))).toBe(true);
    expect(
      (await verify(session, { readData: true })).findings.filter(({ severity }) => severity === 'damage'),
    ).toEqual([]);
  });

  /** Another gc takes this one for dead, and ends when it has moved the pages. */
  async function beOvertaken(scene: GcScene, page: string, how: { grace: number; softDelete: number }): Promise<void> {
    const { bench } = scene;
    for (const lock of await bench.store.list('locks')) await bench.store.remove(`locks/${lock}`);
    const controller = new AbortController();
    const before = bench.store;
    wrap(scene, (store) => ({
      ...store,
      remove: async (path) => {
        await store.remove(path);
        if (path === page) controller.abort();
      },
    }));
    await using other = await bench.open({ state: folder.fresh('state'), cache: folder.fresh('cache') });
    await expect(gc(other, { ...how, signal: controller.signal })).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(await before.size(page)).toBeUndefined();
  }

  it.each(['restore', 'restore --best-effort', 'verify'])(
    'is told by %s as that, and not as damage',
    async (command) => {
      const scene = await gcScene(folder.fresh('reader'));
      const { bench } = scene;
      const old = await scene.save('web', 'abcdefghijkl');
      const ref = await scene.save('web', 'ab          ');
      await scene.forget(old);
      let state: 'armed' | 'moved' | 'failing' = 'armed';
      const failing = await failNewEntries(scene, () => state === 'failing');
      await using session = await bench.open();
      wrap(scene, (store) => ({
        ...failing(store),
        open: async (path) => {
          if (state === 'armed' && path.startsWith('packs/')) {
            state = 'moved';
            await scene.gc(AT_ONCE, { state: folder.fresh('state'), cache: folder.fresh('cache') });
            state = 'failing';
          }
          return await store.open(path);
        },
      }));
      await using reader = await bench.open();
      const to = folder.fresh('restored.raw');
      const bestEffort = command.endsWith('effort');
      const run = command === 'verify' ? verify(reader, { readData: true }) : restore(reader, ref, { to, bestEffort });
      await expect(run).rejects.toMatchObject({ code: 'IO' });
      expect(state).toBe('failing');
      expect(session.vault.damage).toBeUndefined();
      wrap(scene);
    },
  );

  it('gives a key slot back that somebody may have listed', async () => {
    const scene = await gcScene(folder.fresh('slot'));
    const { bench } = scene;
    await scene.save('web', 'abcd');
    await using other = await bench.open({ state: folder.fresh('state'), cache: folder.fresh('cache') });
    let isFailing = false;
    const failing = await failNewEntries(scene, () => isFailing);
    const [fileThere, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const { store } = other.vault;
    const { link } = store;
    store.link = async (from, to) => {
      fileThere.resolve();
      await goOn.promise;
      return await link(from, to);
    };
    const adding = addSlot(other.vault, { secret: { passphrase: 'of somebody else' }, kdf: CHEAP_KDF });
    await fileThere.promise;
    wrap(scene, (store) => ({
      ...failing(store),
      rename: async (from, to) => {
        if (to.startsWith('quarantine/slot-')) {
          goOn.resolve();
          await adding;
          isFailing = true;
        }
        await store.rename(from, to);
      },
    }));
    await using session = await bench.open();
    const listed = new Set(session.vault.state.slots.map(({ name }) => name));
    const slot = (await bench.store.list('keys')).find((name) => !listed.has(name))!;
    await expect(removeSlot(session.vault, slot)).rejects.toMatchObject({ code: 'IO' });
    wrap(scene);
    expect(await bench.store.size(`keys/${slot}`)).toBeGreaterThan(0);
  });

  it('leaves the sign of an entry that a killed run was writing, where link(2) is missing', async () => {
    const scene = await gcScene(folder.fresh('sign'));
    const { store } = scene.bench;
    await scene.save('web', 'abcd');
    const torn = logEntryPath((await store.list('log')).length + 1);
    for (const [path, length] of [
      [writingPath(torn), 0],
      [torn, 50],
    ] as const) {
      await using file = await store.create(path);
      await file.write([new Uint8Array(length)]);
    }
    let isFailing = false;
    wrap(scene, (inner) => ({
      ...inner,
      get: async (path) => {
        if (isFailing && path === torn) throw ioFailure();
        return await inner.get(path);
      },
    }));
    for (const fails of [true, false]) {
      await using session = await scene.bench.open();
      Object.assign(session.vault.config, { singleWriter: true });
      isFailing = fails;
      if (fails) await expect(lockForWriting(session, undefined, undefined)).rejects.toMatchObject({ code: 'IO' });
      else await (await lockForWriting(session, undefined, undefined))[Symbol.asyncDispose]();
      expect((await store.size(writingPath(torn))) !== undefined).toBe(fails);
    }
    wrap(scene);
    await scene.save('web', 'efgh');
    await scene.check();
  });
});

describe('what was seen last of a vault', () => {
  it.each([true, false])(
    'is compared before anything is written, where it could not be at opening (link(2) is missing: %s)',
    async (singleWriter) => {
      const scene = await gcScene(folder.fresh('fork'));
      const { bench } = scene;
      await scene.save('web', 'abcd');
      const older = (await bench.store.list('log')).length;
      await scene.save('web', 'XYZW');
      const seen = (await bench.store.list('log')).length;
      for (let n = older + 1; n <= seen; n++) await bench.store.remove(logEntryPath(n));
      {
        await using other = await bench.open({ state: folder.fresh('state'), cache: folder.fresh('cache') });
        for (let n = older; n < seen + 2; n++)
          await other.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
      }
      await expect(bench.open()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
      let isFailing = true;
      wrap(scene, (store) => ({
        ...store,
        get: async (path) => {
          if (isFailing && path === logEntryPath(seen)) throw ioFailure();
          return await store.get(path);
        },
      }));
      await using session = await bench.open();
      isFailing = false;
      if (singleWriter) Object.assign(session.vault.config, { singleWriter });
      else await session.vault.refresh();
      const before = await bench.store.list('log');
      const writing = writeLog(session, {}, (commit) => commit(() => ({ type: 'protect', retention: 1 })));
      await expect(writing).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
      await expect(session.rememberHead()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
      expect(await bench.store.list('log')).toEqual(before);
      wrap(scene);
      await expect(bench.open()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
    },
  );

  it('whose file alone is lost is told with the copy that this machine kept, if it has one', async () => {
    const scene = await gcScene(folder.fresh('kept'));
    const { bench } = scene;
    await scene.save('web', 'abcd');
    const path = logEntryPath((await bench.store.list('log')).length);
    await bench.store.remove(path);
    const hint = async (cache: string): Promise<string> =>
      await bench.open({ cache }).then(
        () => '',
        (error: VhdvaultError) => error.hint ?? '',
      );
    expect(await hint(folder.fresh('cache'))).toMatch(/look before you write to it$/);
    const [, copy] = /was lost, copy (.*) to log\/\d+ in the vault$/.exec(await hint(bench.cache))!;
    await putFile(bench.store, path, await readFile(copy!));
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it('did not go back where it is missing below others', async () => {
    const scene = await gcScene(folder.fresh('below'));
    const { bench } = scene;
    await scene.save('web', 'abcd');
    const seen = (await bench.store.list('log')).length;
    {
      await using other = await bench.open({ state: folder.fresh('state'), cache: folder.fresh('cache') });
      for (let n = 0; n < 3; n++)
        await other.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
    }
    for (const n of [seen, seen + 1]) {
      await bench.store.remove(logEntryPath(n));
      await using session = await bench.open();
      expect(session.vault.damage?.message).toContain('is missing while entry');
    }
    for (const n of [seen + 2, seen + 3]) await bench.store.remove(logEntryPath(n));
    await expect(bench.open()).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
  });
});

describe('in a real folder', () => {
  it('an entry that was committed in the place of a folder, in the moment of a repair, stays', async () => {
    const scene = await gcScene(folder.fresh('folder'), { where: 'folder', inThread: true });
    const { bench } = scene;
    await scene.save('web', 'abcd');
    const last = (await bench.store.list('log')).length;
    const path = join(bench.address, logEntryPath(last));
    await rm(path);
    await mkdir(path);
    await using session = await bench.open();
    const [kept] = await findKeptEntries(session.vault, session.copies, session.seenHead);
    await using other = await bench.open({ state: folder.fresh('state'), cache: folder.fresh('cache') });
    let committed = 0;
    const vault = withStore(session.vault, (store) => ({
      ...store,
      rename: async (from, to) => {
        await store.rename(from, to);
        if (to.startsWith('quarantine/folder-'))
          committed = (await other.vault.commit(() => ({ type: 'protect', retention: 1000 }))).sequence;
      },
    }));
    expect(await putEntryBack(vault, kept!, async () => true)).toBe(false);
    expect(committed).toBe(last);
    await other.vault.refresh();
    expect(other.vault.state.protects).toHaveLength(1);
    expect(await bench.store.list('staging')).toEqual([]);
  });

  it('a link that leads nowhere in the place of the next entry is damage, and no reason to try for ever', async () => {
    const scene = await gcScene(folder.fresh('link'), { where: 'folder', inThread: true });
    await scene.save('web', 'abcd');
    await using session = await scene.bench.open();
    const { vault } = session;
    await symlink('nowhere', join(scene.bench.address, logEntryPath(vault.state.sequence + 1)));
    let asked = 0;
    const commit = vault.commit(() => {
      if (++asked > 5) throw new Error('asked too often');
      return { type: 'protect', retention: 1 };
    });
    await expect(commit).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });
});

/** The same vault over another store. */
function withStore(vault: Vault, change: (store: Store) => Store): Vault {
  const store = change(vault.store);
  return new Proxy(vault, { get: (target, key) => (key === 'store' ? store : Reflect.get(target, key, target)) });
}
