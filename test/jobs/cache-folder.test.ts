import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openCacheFolder } from '../../src/jobs/cache-folder.ts';
import { thisProcess } from '../../src/jobs/lock-owner.ts';
import { withWorkFolder } from '../../src/jobs/work-folder.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const DAY = 24 * 3_600_000;
const [TABLE, JOB] = ['a'.repeat(32), 'b'.repeat(32)];

it('the cache loses what runs kept that died a week ago, and no table that is in use', async () => {
  const path = folder.fresh('cache');
  const now = Date.UTC(2026, 0, 10);
  const notice = (text: string): void => expect.unreachable(text);
  await openCacheFolder(path, now, notice);
  const put = async (name: string, days: number): Promise<void> => {
    await writeFile(join(path, name), 'x');
    const at = new Date(now - days * DAY);
    await utimes(join(path, name), at, at);
  };
  await put(`jobs/${JOB}.00000000.sqlite`, 8);
  await put(`jobs/${JOB}.11111111.sqlite`, 6);
  await put(`tables/${TABLE}`, 800);
  await put(`tables/${TABLE}.${JOB}.00000000`, 8);
  await put(`tables/${TABLE}.${JOB}.11111111`, 6);
  await openCacheFolder(path, now, notice);
  expect(await readdir(join(path, 'jobs'))).toEqual([`${JOB}.11111111.sqlite`]);
  expect((await readdir(join(path, 'tables'))).sort()).toEqual([TABLE, `${TABLE}.${JOB}.11111111`]);
});

it('a work folder goes with the next run when its process died, also before this machine was started', async () => {
  const bench = await openBench(folder.fresh('work'));
  await using session = await bench.open();
  const me = await thisProcess();
  const owners = {
    'work-dead': { ...me, pid: 2 ** 22 + 1 },
    'work-earlier': { ...me, boot: 'an earlier start' },
    'work-elsewhere': { ...me, host: 'another machine', boot: 'its start' },
    'work-alive': me,
  };
  for (const [name, owner] of Object.entries(owners)) {
    await mkdir(join(session.cache, 'jobs', name), { recursive: true });
    await writeFile(join(session.cache, 'jobs', name, 'owner'), JSON.stringify(owner));
  }
  await withWorkFolder(session, async () => undefined);
  expect((await readdir(join(session.cache, 'jobs'))).sort()).toEqual(['work-alive', 'work-elsewhere']);
});
