import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import type { Throttled } from '../../src/jobs/types.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1 << 20;
const SIZE = 6 * MIB;

async function newBench(): Promise<VaultBench & { disk: Parameters<VaultBench['backup']>[1][number] }> {
  const bench = await openBench(folder.fresh('rate'), { where: 'folder', threads: 2, blockSize: 128 * 1024 });
  await mkdir(bench.folder, { recursive: true });
  return { ...bench, disk: await rawDisk(join(bench.folder, 'disk.raw'), noise(SIZE, 1)) };
}

type Verb = (session: VaultSession, options: Throttled & { signal?: AbortSignal }) => Promise<unknown>;

async function verbs(): Promise<{ bench: VaultBench; each: Record<string, Verb> }> {
  const { disk, ...bench } = await newBench();
  await bench.backup('item', [disk]);
  let n = 0;
  const each: Record<string, Verb> = {
    backup: (session, options) => backup(session, 'item', [disk], options),
    restore: (session, options) => restore(session, 'item', { ...options, to: join(bench.folder, `${n++}.raw`) }),
    verify: (session, options) => verify(session, { ...options, readData: true }),
  };
  return { bench, each };
}

it.each(['backup', 'restore', 'verify'])('%s reads no faster than it may', async (verb) => {
  const { bench, each } = await verbs();
  await using session = await bench.open();
  const begun = process.hrtime.bigint();
  await each[verb]!(session, { limitRate: 4 * MIB });
  // All but what the threads read last, and a tenth of a second's worth.
  const least = (SIZE - 2 * MIB) / (4 * MIB) - 0.1;
  expect(Number(process.hrtime.bigint() - begun) / 1e9).toBeGreaterThan(least);
});

it.each(['backup', 'restore', 'verify'])('%s that waits for its turn can be cancelled', async (verb) => {
  const { bench, each } = await verbs();
  await using session = await bench.open();
  const signal = AbortSignal.timeout(300);
  // It would take weeks.
  const run = each[verb]!(session, { limitRate: 1, signal });
  await expect(run).rejects.toMatchObject({ code: 'CANCELLED' });
});

it.each(['backup', 'restore', 'verify'])('%s refuses a rate that is none', async (verb) => {
  const { bench, each } = await verbs();
  await using session = await bench.open();
  for (const limitRate of [0, -5, Number.NaN, Infinity]) {
    await expect(each[verb]!(session, { limitRate })).rejects.toMatchObject({ code: 'USAGE' });
  }
});
