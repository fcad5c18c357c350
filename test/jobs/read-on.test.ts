import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { openPoint } from '../../src/jobs/open-point.ts';
import { points } from '../../src/jobs/points.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { catalog } from '../../src/point/catalog.ts';
import { decodeEntry, previousOf } from '../../src/vault/log/entry.ts';
import {
  type EntryBody,
  type LoggedPoint,
  logEntryPath,
  sequenceName,
  type VaultState,
} from '../../src/vault/vault.ts';
import { AT_ONCE, checkPoint, type GcScene, gcScene, idOf } from '../support/gc-scene.ts';
import { failGets, failReads, flipAt, hurt } from '../support/hurt-vault.ts';
import { longHistory } from '../support/long-history.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });

describe('an entry of the log that is lost', () => {
  it('costs what it told: every point of another entry restores, and none that was given up is shown', async () => {
    const scene = await longHistory(folder.fresh('long'));
    const { bench, disks } = scene;
    const { state, types } = await historyOf(scene);
    expect(new Set(types)).toEqual(
      new Set(['init', 'open', 'point', 'forget', 'unforget', 'pin', 'condemn', 'repack', 'index-merge', 'swept']),
    );
    for (const name of await bench.store.list('ckpt')) await bench.store.remove(`ckpt/${name}`);
    const pointOf = (ref: string): LoggedPoint | undefined => state.points.get(idOf(ref));
    const refs = [...disks.keys()].filter(pointOf);
    for (let n = 2; n < state.sequence; n++) {
      for (const change of [flipAt(120), () => undefined]) {
        await using _ = await hurt(bench.store, logEntryPath(n), change);
        await rm(bench.cache, { recursive: true, force: true });
        await using session = await bench.open();
        const where = `entry ${n}, ${types[n - 1]}`;
        expect(session.vault.damage, where).toBeDefined();
        const seen = catalog(await session.vault.forReading()).map(({ id, manifest }) => `${manifest.item}@${id}`);
        // Of what it forgot nobody knows that it is.
        const expected = refs.filter(
          (ref) => pointOf(ref)!.sequence !== n && [undefined, n].includes(pointOf(ref)!.forgotten?.sequence),
        );
        expect(seen.toSorted(), where).toEqual(expected.toSorted());
        const { findings } = await verify(session, { readData: true });
        const damage = findings.filter(({ severity }) => severity === 'damage');
        expect(damage[0], where).toMatchObject({ code: 'LOG_ENTRY', where: logEntryPath(n) });
        // Points that nobody knows to be given up lack what was freed with them.
        if (types[n - 1] !== 'condemn') expect(damage, where).toHaveLength(1);
        expect(
          damage.flatMap(({ points }) => points).filter((ref) => refs.includes(ref)),
          where,
        ).toEqual([]);
        for (const ref of seen) await checkPoint(session, ref, disks.get(ref)!);
      }
    }
  });

  it('costs nothing where its checkpoint is there and the next entry tells its hash: what comes later can be written, too', async () => {
    const scene = await longHistory(folder.fresh('long'));
    const { bench } = scene;
    expect((await historyOf(scene)).state.sequence).toBeGreaterThan(33);
    expect(await bench.store.list('ckpt')).toEqual([sequenceName(32)]);
    for (const change of [flipAt(120), () => undefined]) {
      await using _ = await hurt(bench.store, logEntryPath(32), change);
      await scene.save('web', 'new');
      const { findings } = await bench.verify();
      expect(findings).toMatchObject([{ code: 'LOG_ENTRY', where: logEntryPath(32), points: [] }]);
      expect(findings[0]!.cure).toContain('everything restores');
    }
    await scene.check();
  });

  it('may be several in a row, as those of a machine whose files were lost: the points behind them are there, and nothing is written', async () => {
    const scene = await gcScene(folder.fresh('gap'));
    const { bench } = scene;
    await scene.save('web', 'abcd');
    await scene.save('web', 'XYZW');
    const first = (await bench.store.list('log')).length;
    const lost = await scene.save('web', 'lost');
    const db = await scene.save('db', 'abcd');
    const last = (await bench.store.list('log')).length;
    const gone = [first + 1, first + 2].map(logEntryPath);
    await using hurts = new AsyncDisposableStack();
    for (const path of gone) hurts.use(await hurt(bench.store, path, () => undefined));
    for (const state of [bench.state, folder.fresh('new-state')]) {
      await rm(bench.cache, { recursive: true, force: true });
      await using session = await bench.open({ state });
      const told = await points(session);
      expect(told.points.map(({ item, point }) => `${item}@${point}`)).not.toContain(lost);
      expect(told.points).toHaveLength(3);
      expect(told.warnings.join()).toContain(`is missing while entry ${last} is there`);
      await checkPoint(session, db, scene.disks.get(db)!);
      const { findings } = await verify(session);
      expect(findings.filter(({ severity }) => severity === 'damage')).toMatchObject([
        { code: 'LOG_ENTRY', where: gone[0], cure: expect.stringContaining('perhaps a point, cannot be had') },
      ]);
      expect(findings.map(({ code }) => code)).not.toContain('STRANGER');
      expect((await repairVault(session)).actions).toEqual([]);
      await expect(gc(session, AT_ONCE)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    }
    await expect(scene.save('web', 'more')).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    for (const path of gone) expect(await bench.store.size(path)).toBeUndefined();
    await hurts.disposeAsync();
    await scene.save('web', 'more');
    await scene.check();
  });

  it.each(['IO', 'NO_PERMISSION'] as const)('costs what it told also where it cannot be read for %s', async (code) => {
    const scene = await gcScene(folder.fresh('unread'));
    const { bench } = scene;
    for (const content of ['abcd', 'XYZW', 'UVST']) await scene.save('web', content);
    const db = await scene.save('db', 'abcd');
    const last = (await bench.store.list('log')).length;
    const path = logEntryPath(last - 1);
    {
      using _ = failGets(
        bench.storeAddress,
        path,
        new VhdvaultError(code, 'reading failed', { details: { path: '/x' } }),
      );
      await using session = await bench.open();
      const told = await points(session);
      expect(told.warnings.join()).toContain(`${path}, cannot be read: reading failed`);
      await checkPoint(session, db, scene.disks.get(db)!);
      const { findings } = await verify(session, { readData: true });
      expect(findings.filter(({ severity }) => severity === 'damage')[0]).toMatchObject({ code: 'IO', where: path });
      expect((await repairVault(session)).actions).toEqual([]);
      await expect(gc(session, AT_ONCE)).rejects.toMatchObject({ code });
    }
    await scene.save('db', 'more');
    await scene.check();
  });

  it('is told as a history that went back where the entries behind it are gone, which this machine has seen', async () => {
    const scene = await gcScene(folder.fresh('cut'));
    const { bench } = scene;
    for (const content of ['abcd', 'XYZW', 'UVST']) await scene.save('web', content);
    const last = (await bench.store.list('log')).length;
    for (const n of [last - 1, last]) await bench.store.remove(logEntryPath(n));
    await using _ = await hurt(bench.store, logEntryPath(last - 2), () => Uint8Array.of(1, 2, 3));
    await expect(bench.open()).rejects.toMatchObject({
      code: 'VAULT_ROLLED_BACK',
      message: expect.stringContaining(`went back: entry ${last}, which was seen last, is not there any more`),
    });
    await using session = await bench.open({ acceptRollback: true });
    expect(session.vault.damage).toBeDefined();
  });

  it('is no proof of a checkpoint of another history', async () => {
    const scene = await longHistory(folder.fresh('long'));
    const { bench } = scene;
    const last = (await historyOf(scene)).state.sequence;
    await using _ = await hurt(bench.store, logEntryPath(32), () => undefined);
    await using __ = await hurt(bench.store, logEntryPath(33), flipAt(120));
    await using session = await bench.open();
    expect(session.vault.damage).toMatchObject({ details: { path: logEntryPath(32) } });
    expect((await session.vault.forReading()).state.sequence).toBe(last);
  });
});

describe('what readers go on with behind a damaged entry', () => {
  /** The files of the points but the first are read by a session that was opened before; then the entry is brought back. */
  async function damagedMeanwhile(
    work: (session: VaultSession, scene: GcScene, bringBack: () => PromiseLike<void>) => Promise<void>,
  ): Promise<GcScene> {
    const scene = await gcScene(folder.fresh('meanwhile'));
    const { bench } = scene;
    await scene.forget(await scene.save('web', 'abcd'));
    await scene.save('web', 'XYZW');
    await using session = await bench.open();
    await scene.save('db', 'abcd');
    const path = logEntryPath((await bench.store.list('log')).length);
    await scene.save('web', 'XYZV');
    const whole = await bench.store.get(path);
    const change = await hurt(bench.store, path, flipAt(120));
    await work(session, scene, () => change[Symbol.asyncDispose]());
    expect(await bench.store.get(path)).toEqual(whole);
    return scene;
  }

  it('is not what a gc decides by that the damage overtakes', async () => {
    const scene = await damagedMeanwhile(async (session, _, bringBack) => {
      await expect(gc(session, AT_ONCE)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
      await bringBack();
    });
    await scene.gc();
    await scene.check();
  });

  it('is not what a cache is made of', async () => {
    const scene = await damagedMeanwhile(async (session, _, bringBack) => {
      await expect(openPoint(session, 'db')).rejects.toMatchObject({ code: 'NO_SUCH_ITEM' });
      await (await openPoint(session, 'web'))[Symbol.asyncDispose]();
      // Now it knows of the damage, and reads on; the cache is what it was.
      expect((await points(session)).points).toHaveLength(2);
      await (await openPoint(session, 'web'))[Symbol.asyncDispose]();
      await bringBack();
    });
    await scene.gc();
    await scene.save('db', 'abcdef');
    await scene.check();
  });

  it('is told though a segment beside it cannot be read', async () => {
    const scene = await damagedMeanwhile(async (_, { bench }, bringBack) => {
      for (const name of await bench.store.list('index')) {
        using _ = failReads(bench.storeAddress, (path) =>
          path === `index/${name}`
            ? new VhdvaultError('IO', 'input/output error', { details: { system: 'EIO' } })
            : undefined,
        );
        await using session = await bench.open();
        expect((await points(session)).points).toHaveLength(2);
      }
      await bringBack();
    });
    await scene.check();
  });
});

async function historyOf({ bench }: GcScene): Promise<{ state: VaultState; types: EntryBody['type'][] }> {
  await using session = await bench.open();
  const { state, store, keys } = session.vault;
  const types: EntryBody['type'][] = [];
  for (let n = 1; n <= state.sequence; n++) {
    const stored = await store.get(logEntryPath(n));
    types.push(decodeEntry(keys, stored, n, previousOf(stored)).body.type);
  }
  return { state, types };
}
