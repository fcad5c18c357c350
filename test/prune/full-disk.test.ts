import { mkdir, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Random, systemRandom } from '../../src/base/random.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import type { GcOptions, GcResult } from '../../src/jobs/gc-types.ts';
import { pin, unpin } from '../../src/jobs/pin-job.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import { createVault, openVault, type SessionOptions, type VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { checkReserve } from '../../src/vault/reserve.ts';
import { AT_ONCE, checkPoint, diskOf, idOf } from '../support/gc-scene.ts';
import { canMount, type Mount, mountMemory } from '../support/mounts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';
import { rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;
const RESERVE = 256 * 1024;

interface Scene extends Disposable {
  mount: Mount;
  vault: string;
  /** References of the point to give up, and of the latest one. */
  gone: string;
  kept: string;
  within<T>(work: (session: VaultSession) => Promise<T>, random?: Random): Promise<T>;
  /** Of a disk of so many blocks. */
  backup(letters: string, random?: Random): Promise<unknown>;
  gc(options: GcOptions): Promise<GcResult>;
  check(): Promise<void>;
}

/** A vault on a file system of its own, with a point to give up, which is forgotten. */
async function scene(): Promise<Scene> {
  const full = await sceneOfTwo();
  await full.within(({ vault }) => vault.commit(() => ({ type: 'forget', points: [idOf(full.gone)] })));
  return full;
}

async function sceneOfTwo(): Promise<Scene> {
  const home = folder.fresh('full');
  const vault = join(home, 'vault');
  const mount = mountMemory(vault, 64 * MIB);
  await mkdir(join(home, 'disks'));
  const options = (random: Random = systemRandom): SessionOptions => ({
    ...{ cache: join(home, 'cache'), state: join(home, 'state') },
    parts: { pool: openInThreadPool(1), reserve: RESERVE, random },
  });
  const within: Scene['within'] = async (work, random) => {
    await using session = await openVault(vault, options(random));
    return await work(session);
  };
  await createVault(vault, { ...options(), unencrypted: true, blockSize: 16384 });
  const save = async (letters: string, random?: Random): Promise<string> => {
    const disk = await rawDisk(join(home, 'disks', 'web'), diskOf(letters));
    return `web@${(await within((session) => backup(session, 'web', [disk]), random)).point}`;
  };
  const gone = await save('abcdefghijklmnopqrst');
  const kept = await save('ABCDEFGHIJKLMNOPQRST');
  return {
    ...{ mount, vault, gone, kept, within, backup: save },
    gc: (how) => within((session) => gc(session, how)),
    check: () =>
      within(async (session) => {
        await checkPoint(session, kept, diskOf('ABCDEFGHIJKLMNOPQRST'));
        expect(session.vault.damage).toBeUndefined();
      }),
    [Symbol.dispose]: () => mount[Symbol.dispose](),
  };
}

/** A gc frees what was forgotten at once, and the reserve is whole. */
async function expectFreed(full: Scene): Promise<void> {
  const { freedBytes, warnings } = await full.gc(AT_ONCE);
  expect(freedBytes).toBeGreaterThan(20 * 16384);
  expect(warnings).toEqual([]);
  expect(await checkReserve(openStore({ kind: 'folder', path: full.vault }), RESERVE)).toBeUndefined();
  await full.check();
}

describeWhere(
  canMount,
  'file systems cannot be mounted here (no root)',
  'a gc on a disk that is full to the last byte',
  () => {
    it.each([0, 4096, 8192, 12_288, 20_480, 40_960])(
      'frees by way of the reserve, and makes that again (%i bytes are left)',
      async (left) => {
        using full = await scene();
        full.mount.leave(left);
        await expectFreed(full);
      },
    );

    it('says what to do when nothing may be freed yet', async () => {
      using full = await scene();
      full.mount.leave(0);
      const { freedBytes, freedLater, warnings } = await full.gc({ softDelete: 0 });
      expect({ freedBytes, isLater: freedLater.length > 0 }).toEqual({ freedBytes: 0, isLater: true });
      expect(warnings).toEqual([
        expect.stringContaining('vhdvault gc --grace 0s'),
        expect.stringContaining('the reserve'),
      ]);
      await full.check();
      full.mount.leave(4096);
      expect(await full.gc(AT_ONCE)).toMatchObject({ warnings: [] });
      expect((await stat(join(full.vault, 'reserve'))).size).toBe(RESERVE);
      await full.check();
    });

    it('follows a forget that found it full, and had the reserve', async () => {
      using full = await sceneOfTwo();
      full.mount.leave(0);
      const notices: string[] = [];
      const { forgotten } = await full.within((session) =>
        forget({ ...session, notice: (text) => notices.push(text) }, { refs: [full.gone] }),
      );
      expect([forgotten.length, notices]).toEqual([1, [expect.stringContaining('`vhdvault gc` makes it whole again')]]);
      // A backup may come first.
      full.mount.leave(0);
      await expectFreed(full);
    });

    it('that takes the reserve and frees nothing leaves most of it, so that what fills the disk again does no harm', async () => {
      using full = await sceneOfTwo();
      for (let night = 0; night < 3; night++) {
        full.mount.leave(0);
        expect((await full.gc({})).warnings).toEqual([
          expect.stringMatching(/^the reserve has no room: \d+ of 262144 bytes/),
        ]);
        expect((await stat(join(full.vault, 'reserve'))).size).toBeGreaterThan(RESERVE / 2);
      }
      full.mount.leave(0);
      await full.within((session) => forget(session, { refs: [full.gone] }));
      expect(await full.gc(AT_ONCE)).toMatchObject({ warnings: [] });
      expect(await checkReserve(openStore({ kind: 'folder', path: full.vault }), RESERVE)).toBeUndefined();
      await full.check();
    });

    it('that fails, or is cancelled, leaves most of the reserve, too: there is always a way out', async () => {
      using full = await sceneOfTwo();
      const reserve = async (): Promise<number> => (await stat(join(full.vault, 'reserve'))).size;
      const index = join(full.vault, 'index');
      const [segment] = await readdir(index);
      await rename(join(index, segment!), join(full.vault, 'aside'));
      full.mount.leave(0);
      await expect(full.gc(AT_ONCE)).rejects.toMatchObject({ code: 'GC_BLOCKED' });
      expect(await reserve()).toBeGreaterThan(RESERVE / 2);
      await rename(join(full.vault, 'aside'), join(index, segment!));
      full.mount.leave(0);
      const controller = new AbortController();
      const cancelled = full.within((session) =>
        gc(session, { ...AT_ONCE, signal: controller.signal, onProgress: () => controller.abort() }),
      );
      await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
      expect(await reserve()).toBeGreaterThan(RESERVE / 2);
      full.mount.leave(0);
      await full.within((session) => forget(session, { refs: [full.gone] }));
      expect(await full.gc(AT_ONCE)).toMatchObject({ warnings: [] });
      expect(await reserve()).toBe(RESERVE);
      await full.check();
    });

    it('says what to do where a forget had the reserve, and nothing may be freed yet', async () => {
      using full = await sceneOfTwo();
      full.mount.leave(0);
      await full.within((session) => forget(session, { refs: [full.gone] }));
      expect((await full.gc({})).warnings).toEqual([
        expect.stringContaining('`vhdvault gc --soft-delete 0s --grace 0s` frees'),
        expect.stringContaining('the reserve'),
      ]);
      expect((await full.gc({ softDelete: 0 })).warnings).toEqual([
        expect.stringContaining('vhdvault gc --grace 0s'),
        expect.stringContaining('the reserve'),
      ]);
    });

    it.each<[string, (session: VaultSession, ref: string) => Promise<unknown>]>([
      ['a pin', pin],
      ['the end of a pin', async (session, ref) => [await pin(session, ref), await unpin(session, ref)]],
      ['a protection', (session) => protect(session, { minRetention: '1d' })],
    ])('follows %s, which had the reserve, too', async (_, write) => {
      using full = await scene();
      full.mount.leave(0);
      await full.within((session) => write(session, full.kept));
      expect(await full.gc(AT_ONCE)).toMatchObject({ warnings: [] });
      await full.check();
    });

    it('leaves a point alone that was brought back with the reserve', async () => {
      using full = await scene();
      full.mount.leave(0);
      await full.within((session) => unforget(session, [full.gone]));
      expect(await full.gc(AT_ONCE)).toMatchObject({ condemned: { points: 0 } });
      await full.within((session) => checkPoint(session, full.gone, diskOf('abcdefghijklmnopqrst')));
    });

    it('is what a backup names that has no room, before it begins and in its middle', async () => {
      using full = await scene();
      const refused = { code: 'NO_SPACE', hint: expect.stringMatching(/`vhdvault forget`.*`vhdvault gc`/) };
      const fillsOnFirstJob: Random = {
        bytes(length) {
          if (length === 16) full.mount.leave(0);
          return systemRandom.bytes(length);
        },
      };
      await expect(full.backup('0123456789', fillsOnFirstJob)).rejects.toMatchObject(refused);
      await expect(full.backup('0123456789')).rejects.toMatchObject(refused);
    });

    it('makes a reserve that is missing or wrong anew', async () => {
      using full = await scene();
      const store = openStore({ kind: 'folder', path: full.vault });
      await store.remove('reserve');
      await full.gc(AT_ONCE);
      expect(await checkReserve(store, RESERVE)).toBeUndefined();
      await store.remove('reserve');
      {
        await using file = await store.create('reserve');
        await file.write([new Uint8Array(RESERVE)]);
      }
      await full.gc(AT_ONCE);
      expect(await checkReserve(store, RESERVE)).toBeUndefined();
    });
  },
);
