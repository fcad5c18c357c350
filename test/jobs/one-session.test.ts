import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

const newBench = (name: string): Promise<VaultBench> =>
  openBench(folder.fresh(name), { where: 'folder', inThread: true });

describe('a session', () => {
  it('takes several backups at once', async () => {
    const bench = await newBench('several');
    await using session = await bench.open();
    for (let round = 0; round < 4; round++) {
      const disks = ['a', 'b', 'c', 'd'].map((item, n) => {
        return rawDisk(join(bench.folder, item), noise(4 * BLOCK, 10 * round + n + 1));
      });
      const made = disks.map(async (disk, n) => await backup(session, `item${n}`, [await disk]));
      expect(await Promise.all(made)).toHaveLength(4);
    }
    expect(await bench.verify(true)).toMatchObject({ ok: true, findings: [] });
  });

  it('that was opened before a gc restores what that stored anew', async () => {
    const bench = await newBench('before');
    const refs: string[] = [];
    for (let n = 0; n < 9; n++) {
      const bytes = Buffer.concat([noise(2 * BLOCK, 1), noise(6 * BLOCK, n + 5)]);
      refs.push(`web@${(await bench.backup('web', [await rawDisk(join(bench.folder, 'w'), bytes)])).point}`);
    }
    await using old = await bench.open({ cache: join(bench.folder, 'other-cache') });
    {
      await using session = await bench.open();
      await forget(session, { refs: refs.slice(0, 8) });
      expect((await gc(session, { softDelete: 0, grace: 0 })).repacked.packs).toBeGreaterThan(0);
    }
    const to = join(bench.folder, 'restored.raw');
    const { disks } = await restore(old, refs[8]!, { to, format: 'raw', bestEffort: true });
    expect(disks).toMatchObject([{ lostBytes: 0 }]);
  });
});
