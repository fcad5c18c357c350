import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { points, show } from '../../src/jobs/points.ts';
import { PASSPHRASE } from '../support/fixed-parts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const code = (word: string): object => expect.objectContaining({ code: word });

interface Scene extends VaultBench {
  /** A command that adds what it is told to a file, and the file's lines. */
  note: (words: string) => string;
  noted: () => Promise<string[]>;
  path: string;
}

async function scene(): Promise<Scene> {
  const bench = await openBench(folder.fresh('hooks'));
  await mkdir(bench.folder, { recursive: true });
  const notes = join(bench.folder, 'notes');
  const path = join(bench.folder, 'disk.raw');
  await rawDisk(path, noise(5 * BLOCK, 1));
  return {
    ...bench,
    path,
    note: (words) => `echo "${words}" >> '${notes}'`,
    noted: async () => (await readFile(notes, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
  };
}

const disks = ({ path }: Scene) => [{ name: 'disk', address: { kind: 'file' as const, path, format: 'raw' as const } }];

async function labelOf(
  bench: VaultBench,
  ref = 'item',
): Promise<{ consistency: string; hooks: { outcome: string; output: string } }> {
  await using session = await bench.open();
  const { point } = await show(session, ref);
  return { consistency: point.consistency, hooks: point.hooks };
}

describe('a backup with hooks', () => {
  it('runs --pre before the disks are opened and --post after the point is saved, and tells both what they need', async () => {
    const here = await scene();
    await rm(here.path);
    await writeFile(join(here.folder, 'source'), noise(5 * BLOCK, 2));
    const made = await here.backup('item', disks(here), {
      pre: `cp '${join(here.folder, 'source')}' '${here.path}'; ${here.note('$VHDVAULT_HOOK $VHDVAULT_ITEM [$VHDVAULT_POINT]')}; echo frozen`,
      post: `rm '${here.path}'; ${here.note('$VHDVAULT_HOOK $VHDVAULT_ITEM $VHDVAULT_POINT $VHDVAULT_OUTCOME [$VHDVAULT_ERROR] $VHDVAULT_WARNINGS $VHDVAULT_CONSISTENCY')}; echo thawed`,
      consistency: 'app',
    });
    expect(made).toMatchObject({ consistency: 'app', warnings: [] });
    expect(made.hooks.map(({ hook, outcome, output }) => [hook, outcome, output.trim()])).toEqual([
      ['pre', 'succeeded', 'frozen'],
      ['post', 'succeeded', 'thawed'],
    ]);
    expect(await here.noted()).toEqual(['pre item []', `post item ${made.point} succeeded [] 0 app`]);
    expect(await labelOf(here)).toEqual({
      consistency: 'app',
      hooks: { outcome: 'succeeded', output: '--pre:\nfrozen\n--post:\nthawed' },
    });
    expect(Buffer.compare(await here.restored('item'), noise(5 * BLOCK, 2))).toBe(0);
    expect((await here.verify(true)).findings).toEqual([]);
  });

  it.each([
    { pre: 'true', post: 'true', told: 'app', outcome: 'succeeded', warned: 0 },
    { pre: 'echo no; exit 3', post: 'true', told: 'crash', outcome: 'failed', warned: 1 },
    { pre: 'true', post: 'exit 4', told: 'crash', outcome: 'failed', warned: 1 },
    { pre: 'exit 3', post: 'exit 4', told: 'crash', outcome: 'failed', warned: 2 },
    { pre: 'true', post: undefined, told: 'app', outcome: 'succeeded', warned: 0 },
    { pre: 'exit 3', post: undefined, told: 'crash', outcome: 'failed', warned: 1 },
    { pre: undefined, post: 'true', told: 'app', outcome: 'succeeded', warned: 0 },
    { pre: undefined, post: 'exit 4', told: 'crash', outcome: 'failed', warned: 1 },
    { pre: undefined, post: undefined, told: 'app', outcome: 'none', warned: 0 },
  ])('--pre $pre and --post $post: app is recorded as $told', async ({ pre, post, told, outcome, warned }) => {
    const here = await scene();
    const made = await here.backup('item', disks(here), {
      ...(pre !== undefined && { pre }),
      ...(post !== undefined && { post }),
      consistency: 'app',
    });
    expect([made.consistency, made.warnings.length]).toEqual([told, warned]);
    expect(await labelOf(here)).toMatchObject({ consistency: told, hooks: { outcome } });
    if (warned > 0)
      expect(made.warnings[0]).toMatch(/--(pre|post) failed with exit code [34].*crash-consistent, not app/);
  });

  it('makes no point with requireConsistency when --pre fails, and runs --post all the same', async () => {
    const here = await scene();
    const post = here.note('$VHDVAULT_OUTCOME $VHDVAULT_ERROR [$VHDVAULT_POINT]');
    const run = here.backup('item', disks(here), { pre: 'echo full; exit 9', post, requireConsistency: true });
    await expect(run).rejects.toMatchObject({
      code: 'HOOK_FAILED',
      message: expect.stringMatching(/exit code 9: full: no point was made/),
      details: { exitCode: 9 },
    });
    expect(await here.noted()).toEqual(['failed HOOK_FAILED []']);
    await using session = await here.open();
    expect((await points(session)).points).toEqual([]);
  });

  it('runs --post after a failure and after a cancel, and tells which', async () => {
    const here = await scene();
    const post = here.note('$VHDVAULT_OUTCOME $VHDVAULT_ERROR');
    await rm(here.path);
    await expect(here.backup('item', disks(here), { post })).rejects.toEqual(code('NOT_FOUND'));
    await rawDisk(here.path, noise(5 * BLOCK, 1));
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const run = here.backup('item', disks(here), { post, onProgress, signal: controller.signal });
    await expect(run).rejects.toEqual(code('CANCELLED'));
    const slow = here.backup('item', disks(here), { pre: 'sleep 30', post, signal: AbortSignal.timeout(300) });
    await expect(slow).rejects.toEqual(code('CANCELLED'));
    expect(await here.noted()).toEqual(['failed NOT_FOUND', 'cancelled CANCELLED', 'cancelled CANCELLED']);
  });

  it('runs none of them when it was cancelled before --pre', async () => {
    const here = await scene();
    const controller = new AbortController();
    await using session = await here.open();
    const hooks = { pre: here.note('pre'), post: here.note('post') };
    const run = backup(session, 'item', disks(here), { ...hooks, signal: controller.signal });
    controller.abort();
    await expect(run).rejects.toEqual(code('CANCELLED'));
    expect(await here.noted()).toEqual([]);
  });

  it('refuses what no consistency, type or time-out is, before it locks anything', async () => {
    const here = await scene();
    for (const wrong of [
      { consistency: 'application' },
      { type: 'partial' },
      { hookTimeout: 0 },
      { hookTimeout: Number.NaN },
    ]) {
      const run = here.backup('item', disks(here), { ...(wrong as object), post: here.note('post') });
      await expect(run).rejects.toEqual(code('USAGE'));
    }
    expect([await here.noted(), await here.store.list('log')]).toEqual([[], [expect.any(String)]]);
  });

  it('says succeeded to --post when only the caller fails after the commit', async () => {
    const here = await scene();
    const onProgress = ({ phase }: { phase: string }): void => {
      if (phase === 'done') throw new Error('of the caller');
    };
    const made = await here.backup('item', disks(here), { post: here.note('$VHDVAULT_OUTCOME'), onProgress });
    expect(made.notices).toEqual([expect.stringMatching(/the point is saved.*of the caller/)]);
    expect(await here.noted()).toEqual(['succeeded']);
  });

  it('runs no hook when another run holds the item', async () => {
    const here = await scene();
    const inner = here.note('inner');
    const go = join(here.folder, 'go');
    const outer = here.backup('item', disks(here), {
      pre: `${here.note('outer')}; while [ ! -e '${go}' ]; do sleep 0.02; done`,
    });
    while ((await here.noted()).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    const second = here.backup('item', disks(here), { pre: inner, post: inner });
    await expect(second).rejects.toEqual(code('ITEM_LOCKED'));
    await writeFile(go, '');
    await outer;
    expect(await here.noted()).toEqual(['outer']);
  });

  it('stops a --pre that takes too long, and goes on with a warning', async () => {
    const here = await scene();
    const made = await here.backup('item', disks(here), { pre: 'sleep 30', hookTimeout: 200 });
    expect(made.warnings).toEqual([expect.stringMatching(/--pre did not end within 0.2 s \(--hook-timeout\)/)]);
    expect(made.hooks).toMatchObject([{ outcome: 'timed-out' }]);
  });

  it('hands the passphrase to no hook, and keeps none of it with the point', async () => {
    const here = await scene();
    process.env.VHDVAULT_PASSPHRASE = 'of the environment';
    try {
      const { passphrase } = PASSPHRASE;
      const made = await here.backup('item', disks(here), {
        pre: `echo "[$VHDVAULT_PASSPHRASE] ${passphrase}"`,
        post: 'true',
      });
      expect(made.hooks[0]?.output.trim()).toBe('[] ***');
    } finally {
      delete process.env.VHDVAULT_PASSPHRASE;
    }
  });

  it('passes over a label that it does not understand, as of a later version', async () => {
    const here = await scene();
    const made = await here.backup('item', disks(here));
    {
      await using session = await here.open();
      for (const label of [Uint8Array.of(9, 9), Uint8Array.of(1, 1, 0, 0, 7), new Uint8Array(0)]) {
        await here.store.makeFolder('staging/test');
        await session.vault.labelPoint({
          job: '0'.repeat(32),
          folder: 'staging/test',
          point: made.point.slice(1),
          label,
        });
      }
    }
    expect(await labelOf(here)).toMatchObject({ consistency: 'crash', hooks: { outcome: 'none' } });
    await here.backup('item', []);
    expect((await here.verify(true)).ok).toBe(true);
  });

  it('whose --post never came to its end says crash, and that it did not end', async () => {
    const here = await scene();
    const { entries } = await openedLog(here);
    // The label is an entry of its own, after the point's.
    await here.backup('item', disks(here), { pre: 'true', post: 'true', consistency: 'app' });
    const log = await here.store.list('log');
    expect(log.length - entries).toBe(3);
    await here.store.remove(`log/${log.at(-1)}`);
    await using session = await here.open({ acceptRollback: true });
    expect((await show(session, 'item')).point).toMatchObject({ consistency: 'crash', hooks: { outcome: 'pending' } });
  });
});

async function openedLog(bench: VaultBench): Promise<{ entries: number }> {
  return { entries: (await bench.store.list('log')).length };
}
