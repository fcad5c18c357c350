import { readdirSync, rmSync } from 'node:fs';
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
  // Killed while they were made, or removed; torn by a power cut.
  for (const name of ['new-empty', 'new-torn', 'work-empty', 'work-torn'])
    await mkdir(join(session.cache, 'jobs', name));
  for (const name of ['new-torn', 'work-torn']) await writeFile(join(session.cache, 'jobs', name, 'owner'), '{"host":');
  await withWorkFolder(session, async () => undefined);
  expect((await readdir(join(session.cache, 'jobs'))).sort()).toEqual(['work-alive', 'work-elsewhere']);
});

it('a work folder is made again when another run takes it for a dead one', async () => {
  const bench = await openBench(folder.fresh('work-again'));
  await using session = await bench.open();
  const jobs = join(session.cache, 'jobs');
  await mkdir(jobs, { recursive: true });
  const removed = new Set<string>();
  const remove = (): void => {
    const found = readdirSync(jobs).find((name) => name.startsWith('new-'));
    if (found !== undefined) rmSync(join(jobs, found), { recursive: true, force: true });
    if (found !== undefined) removed.add(found);
    if (removed.size < 5) setImmediate(remove);
  };
  remove();
  for (let n = 0; n < 500 && removed.size < 5; n++) {
    await withWorkFolder(session, async (path) => {
      expect(await readdir(path)).toEqual(['owner']);
    });
  }
  expect(removed.size).toBe(5);
  expect(await readdir(jobs)).toEqual([]);
});
