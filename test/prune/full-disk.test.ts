import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import type { GcOptions, GcResult } from '../../src/jobs/gc-types.ts';
import { createVault, openVault, type SessionOptions } from '../../src/jobs/session.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { checkReserve } from '../../src/vault/reserve.ts';
import { AT_ONCE, checkPoint, diskOf } from '../support/gc-scene.ts';
import { canMount, type Mount, mountMemory } from '../support/mounts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeIf } from '../support/tool.ts';
import { rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;
const RESERVE = 256 * 1024;

interface Scene extends Disposable {
  mount: Mount;
  vault: string;
  kept: string;
  gc(options: GcOptions): Promise<GcResult>;
  check(): Promise<void>;
}

/** A vault on a file system of its own, with a point to give up. */
async function scene(): Promise<Scene> {
  const home = folder.fresh('full');
  const vault = join(home, 'vault');
  const mount = mountMemory(vault, 64 * MIB);
  await mkdir(join(home, 'disks'));
  const options = (): SessionOptions => ({
    ...{ cache: join(home, 'cache'), state: join(home, 'state') },
    parts: { pool: openInThreadPool(1), reserve: RESERVE },
  });
  await createVault(vault, { ...options(), unencrypted: true, blockSize: 16384 });
  const save = async (letters: string): Promise<string> => {
    await using session = await openVault(vault, options());
    return (await backup(session, 'web', [await rawDisk(join(home, 'disks', 'web'), diskOf(letters))])).point;
  };
  const gone = await save('abcdefghijklmnopqrst');
  const kept = await save('ABCDEFGHIJKLMNOPQRST');
  await using session = await openVault(vault, options());
  await session.vault.commit(() => ({ type: 'forget', points: [gone.slice(1)] }));
  return {
    ...{ mount, vault, kept },
    async gc(how) {
      await using open = await openVault(vault, options());
      return await gc(open, how);
    },
    async check() {
      await using open = await openVault(vault, options());
      await checkPoint(open, `web@${kept}`, diskOf('ABCDEFGHIJKLMNOPQRST'));
      expect(open.vault.damage).toBeUndefined();
    },
    [Symbol.dispose]: () => mount[Symbol.dispose](),
  };
}

describeIf(
  canMount,
  'file systems cannot be mounted here (no root)',
  'a gc on a disk that is full to the last byte',
  () => {
    it.each([0, 4096, 8192, 12_288, 20_480, 40_960])(
      'frees by way of the reserve, and makes that again (%i bytes are left)',
      async (left) => {
        using full = await scene();
        full.mount.leave(left);
        const { freedBytes, warnings } = await full.gc(AT_ONCE);
        expect(freedBytes).toBeGreaterThan(20 * 16384);
        expect(warnings).toEqual([]);
        expect(await checkReserve(openStore({ kind: 'folder', path: full.vault }), RESERVE)).toBeUndefined();
        await full.check();
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
