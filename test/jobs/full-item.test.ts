import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { manifestOf, START, timedVault } from '../support/timed-vault.ts';
import { noise, rawDisk } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });

/** As if the log had told of them: to write so many entries takes minutes. */
function addPoints({ vault }: VaultSession, item: string, count: number): void {
  const manifest = manifestOf(item);
  for (let n = 0; n < count; n++) {
    const point = (n + 1).toString(16).padStart(16, '0');
    vault.state.points.set(point, { ...{ point, sequence: 0, time: START, tool: '', job: '', adds: [] }, manifest });
  }
}

it('an item takes its 9999th point with a warning, none after that, and none back from the forgotten ones', async () => {
  const vault = await timedVault(folder.fresh('vault'));
  await mkdir(vault.bench.folder, { recursive: true });
  const disk = await rawDisk(join(vault.bench.folder, 'os'), noise(16 * 1024, 1));
  const first = await vault.addPoint('web01');
  await using session = await vault.open();
  addPoints(session, 'web01', 9997);
  const { warnings } = await backup(session, 'web01', [disk]);
  expect(warnings).toContainEqual(expect.stringContaining('web01 has 9999 of at most 9999'));
  const full = { code: 'ITEM_FULL', hint: expect.stringContaining('--dry-run') };
  await expect(backup(session, 'web01', [disk])).rejects.toMatchObject(full);
  expect((await backup(session, 'db01', [disk])).warnings).toEqual([]);
  expect((await forget(session, { refs: [first] })).forgotten).toHaveLength(1);
  await backup(session, 'web01', [disk]);
  await expect(unforget(session, [first])).rejects.toMatchObject(full);
});

it('an item that is filled by another run meanwhile takes no point', async () => {
  const vault = await timedVault(folder.fresh('race'));
  await mkdir(vault.bench.folder, { recursive: true });
  const disk = await rawDisk(join(vault.bench.folder, 'os'), noise(16 * 1024, 1));
  await using session = await vault.open();
  addPoints(session, 'web01', 9998);
  const onProgress = ({ phase }: { phase: string }): void => {
    if (phase === 'saving') addPoints(session, 'web01', 9999);
  };
  await expect(backup(session, 'web01', [disk], { onProgress })).rejects.toMatchObject({ code: 'ITEM_FULL' });
});
