import { appendFileSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { partPath } from '../../src/io/atomic-file.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { points } from '../../src/jobs/points.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import type { Pool } from '../../src/pool/pool.ts';
import { openThreadPool } from '../../src/pool/thread-pool.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type BenchOptions, noise, openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const code = (word: string): object => expect.objectContaining({ code: word });

async function newBench(options?: BenchOptions): Promise<VaultBench & { file: (name: string) => string }> {
  const bench = await openBench(folder.fresh('jobs'), options);
  await mkdir(bench.folder, { recursive: true });
  return { ...bench, file: (name) => join(bench.folder, name) };
}

/** Runs the tasks in this thread, and `first` before the first of them. */
function poolWith(first: () => Promise<unknown>): Pool {
  const inner = openInThreadPool(2);
  const ready = { done: undefined as Promise<unknown> | undefined };
  return {
    threads: 2,
    prepare: () => undefined,
    async run(task, input) {
      ready.done ??= first();
      await ready.done;
      return inner.run(task, input);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** Real threads, and a signal that fires so many milliseconds after they began, or at their end, but before the run knows of it. */
function cancelledAtWork(moment: number | 'end'): { pool: Pool; signal: AbortSignal } {
  const inner = openThreadPool(2);
  const controller = new AbortController();
  const running: Promise<unknown>[] = [];
  let fired: Promise<void> | undefined;
  const fire = async (): Promise<void> => {
    await setTimeout(moment === 'end' ? 0 : moment);
    if (moment === 'end') await Promise.allSettled(running);
    controller.abort();
  };
  const pool: Pool = {
    threads: 2,
    prepare: () => undefined,
    async run(task, input) {
      const result = inner.run(task, input);
      running.push(result);
      fired ??= fire();
      await Promise.allSettled([result, fired]);
      return await result;
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  };
  return { pool, signal: controller.signal };
}

async function everyFile(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('a backup with real threads', () => {
  it('stores what two disks have in common once, and all their blocks once', async () => {
    const bench = await newBench({ where: 'folder', threads: 4 });
    const bytes = noise(1200 * BLOCK, 1);
    const disks = [await rawDisk(bench.file('a.raw'), bytes, 'a'), await rawDisk(bench.file('b.raw'), bytes, 'b')];
    const result = await bench.backup('twins', disks);
    expect(result.disks.map(({ blocks }) => blocks.changed)).toEqual([1200, 1200]);
    expect(result.disks.reduce((sum, { blocks }) => sum + blocks.stored, 0)).toBe(1200);
    expect(result.bytes.stored).toBeLessThan(1.05 * bytes.byteLength);
    expect(Buffer.compare(await bench.restored('twins', 'a'), bytes)).toBe(0);
    expect(Buffer.compare(await bench.restored('twins', 'b'), bytes)).toBe(0);
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it.each(['none', 'lz4', 'zstd'] as const)(
    'keeps sparse noise whole in a vault without encryption (%s)',
    async (compression) => {
      const bench = await newBench({ where: 'folder', encrypted: false, compression });
      const bytes = new Uint8Array(24 << 20);
      for (let n = 0; n < 24; n++) bytes.set(noise(BLOCK, n + 1), (n << 20) + (n % 5) * BLOCK);
      await bench.backup('sparse', [await rawDisk(bench.file('disk.raw'), bytes)]);
      expect(Buffer.compare(await bench.restored('sparse'), bytes)).toBe(0);
    },
  );

  it('pads a last short block with zeros, whatever was read before it', async () => {
    const bench = await newBench({ where: 'folder', threads: 1 });
    const bytes = noise((3 << 20) + 512, 1);
    await bench.backup('long', [await rawDisk(bench.file('long.raw'), bytes)]);
    const tail = await bench.backup('short', [await rawDisk(bench.file('short.raw'), bytes.subarray(3 << 20))]);
    expect(tail.disks[0]?.blocks).toEqual({ total: 1, read: 1, changed: 1, stored: 0 });
    expect(Buffer.compare(await bench.restored('long'), bytes)).toBe(0);
  });

  it('writes only the log when nothing changed', async () => {
    const bench = await newBench({ where: 'folder' });
    const disk = await rawDisk(bench.file('disk.raw'), noise(50 * BLOCK, 1));
    await bench.backup('still', [disk]);
    const before = (await everyFile(bench.address)).sort();
    const result = await bench.backup('still', [disk]);
    expect(result.bytes).toMatchObject({ changed: 0, stored: 0 });
    const after = (await everyFile(bench.address)).sort();
    expect(after.filter((path) => !before.includes(path)).map((path) => path.split('/').at(-2))).toEqual(['log']);
  });

  it('backs a chain of VHDs up, and restores what its tip reads as', async () => {
    const bench = await newBench({ where: 'folder' });
    const { paths, oracle } = await buildChain(bench.folder, [
      link('dynamic', { writes: [{ sector: 3, count: 90, seed: 1 }] }),
      link('differencing', { writes: [{ sector: 50, count: 20, seed: 2 }], blockSize: 4096 }),
    ]);
    await bench.backup('chain', [{ name: 'os', address: { kind: 'file', path: paths.at(-1)! } }]);
    expect(Buffer.compare(await bench.restored('chain'), oracle)).toBe(0);
  });
});

describe('a source that changes while it is read', () => {
  const changes: [string, (path: string) => Promise<unknown>][] = [
    ['is written', async (path) => writeFile(path, noise(64, 9), { flag: 'r+' })],
    ['grows', (path) => appendFile(path, Buffer.alloc(512))],
    [
      'is replaced',
      async (path) => writeFile(`${path}.new`, noise(9 * BLOCK, 2)).then(() => rename(`${path}.new`, path)),
    ],
    ['is renamed', (path) => rename(path, `${path}.gone`)],
    ['is touched', (path) => utimes(path, 1, 1)],
  ];

  it.each(changes)('because it %s gives SOURCE_CHANGED and no point', async (_, change) => {
    const bench = await newBench();
    const disk = await rawDisk(bench.file('disk.raw'), noise(9 * BLOCK, 1));
    {
      await using session = await bench.open({ parts: { pool: poolWith(() => change(disk.address.path)) } });
      await expect(backup(session, 'item', [disk])).rejects.toEqual(code('SOURCE_CHANGED'));
      expect((await points(session)).points).toEqual([]);
    }
    expect(await bench.store.list('staging')).toEqual([]);
    expect(await bench.store.list('locks')).toEqual([]);
    expect((await bench.verify(true)).ok).toBe(true);
  });

  it.each([0, 1])(
    'after the scan of all disks, before the commit, gives SOURCE_CHANGED and no point (disk %i)',
    async (n) => {
      const bench = await newBench();
      const disks = [
        await rawDisk(bench.file('a'), noise(9 * BLOCK, 1), 'a'),
        await rawDisk(bench.file('b'), noise(9 * BLOCK, 2), 'b'),
      ];
      await using session = await bench.open();
      let told = 0;
      // At once: nothing of the run comes between.
      const onProgress = ({ phase }: { phase: string }): void => {
        if (phase === 'saving' && told++ === 0) appendFileSync(disks[n]!.address.path, Buffer.alloc(512));
      };
      await expect(backup(session, 'item', disks, { onProgress })).rejects.toEqual(code('SOURCE_CHANGED'));
      expect(told).toBe(1);
      expect((await points(session)).points).toEqual([]);
    },
  );
});

describe('an item', () => {
  it('is backed up by one run at a time; the other is told who has it', async () => {
    const bench = await newBench();
    const disk = await rawDisk(bench.file('disk.raw'), noise(9 * BLOCK, 1));
    const runs = await Promise.allSettled(Array.from({ length: 5 }, () => bench.backup('item', [disk])));
    const refused = runs.filter((run) => run.status === 'rejected');
    for (const { reason } of refused) {
      expect(reason).toMatchObject({ code: 'ITEM_LOCKED', details: { item: 'item', pid: process.pid } });
    }
    await using session = await bench.open();
    expect((await points(session)).points).toHaveLength(5 - refused.length);
    expect(refused.length).toBeGreaterThan(0);
    expect(await bench.store.list('locks')).toEqual([]);
  });

  it('does not lock another', async () => {
    const bench = await newBench();
    const items = ['a', 'b', 'c', 'd'];
    const disks = await Promise.all(items.map((item) => rawDisk(bench.file(item), noise(30 * BLOCK, 1))));
    const runs = await Promise.all(items.map((item, n) => bench.backup(item, [disks[n]!])));
    expect(runs.map(({ item }) => item)).toEqual(items);
    for (const item of items) expect(Buffer.compare(await bench.restored(item), noise(30 * BLOCK, 1))).toBe(0);
    expect((await bench.verify(true)).ok).toBe(true);
    expect(await bench.store.list('staging')).toEqual([]);
  });

  it('whose job another run gave up as dead begins again under a new job, and relies on nothing of the old one', async () => {
    const bench = await newBench();
    const bytes = noise(30 * BLOCK, 1);
    const disk = await rawDisk(bench.file('disk.raw'), bytes);
    {
      await using other = await bench.open();
      await using session = await bench.open();
      let given: Promise<void> | undefined;
      const onProgress = ({ phase }: { phase: string }): void => {
        if (phase === 'saving') given ??= giveUp();
      };
      const giveUp = async (): Promise<void> => {
        await other.vault.refresh();
        const [dead] = [...other.vault.state.jobs].find(([, state]) => state === 'open')!;
        await other.vault.abandonJob('f'.repeat(32), 'staging/other', dead);
      };
      const made = await backup(session, 'item', [disk], { onProgress });
      await given;
      expect(made.notices).toEqual([expect.stringContaining('began again under a new one')]);
      expect(made.disks[0]?.blocks.stored).toBe(30);
      expect((await points(session)).points).toHaveLength(1);
    }
    expect((await bench.verify(true)).ok).toBe(true);
    expect(await bench.store.list('staging')).toEqual([]);
    expect(Buffer.compare(await bench.restored('item'), bytes)).toBe(0);
  });

  it('warns when disks are missing, new or renamed, and compares those that stayed', async () => {
    const bench = await newBench();
    const [a, b] = [
      await rawDisk(bench.file('a'), noise(9 * BLOCK, 1), 'a'),
      await rawDisk(bench.file('b'), noise(9 * BLOCK, 2), 'b'),
    ];
    expect((await bench.backup('item', [a, b])).warnings).toEqual([]);
    expect((await bench.backup('item', [b, a])).warnings).toEqual([]);
    const removed = await bench.backup('item', [a]);
    expect(removed.warnings).toEqual([expect.stringContaining('b of the latest point is not in this one')]);
    expect(removed.disks[0]?.blocks.changed).toBe(0);
    const added = await bench.backup('item', [a, b]);
    expect(added.warnings).toEqual([expect.stringContaining('b is new in this item')]);
    expect(added.disks.map(({ blocks }) => [blocks.changed, blocks.stored])).toEqual([
      [0, 0],
      [9, 0],
    ]);
    const renamed = await bench.backup('item', [a, { ...b, name: 'data' }]);
    expect(renamed.warnings).toEqual([expect.stringContaining('data was named b in the latest point')]);
    expect(renamed.disks.map(({ blocks }) => blocks.changed)).toEqual([0, 0]);
    expect((await bench.backup('item', [])).disks.map(({ name }) => name)).toEqual(['a', 'data']);
    const swapped = await bench.backup('item', [
      { ...a, name: 'data' },
      { ...b, name: 'a' },
    ]);
    expect(swapped.warnings).toEqual(
      ['data', 'a'].map((name) => expect.stringMatching(`^${name} lies now where .* swapped`)),
    );
    const [cache] = await readdir(bench.cache);
    expect(await readdir(join(bench.cache, cache!, 'tables'))).toHaveLength(2);
  });

  it.each([
    { from: 9 * BLOCK, to: 300 * BLOCK, changed: 291 },
    { from: 9 * BLOCK + 512, to: 300 * BLOCK, changed: 291 },
    { from: 300 * BLOCK, to: 9 * BLOCK, changed: 0 },
    { from: 300 * BLOCK, to: 9 * BLOCK + 512, changed: 1 },
    { from: 300 * BLOCK, to: 256 * BLOCK, changed: 0 },
    { from: 256 * BLOCK, to: 257 * BLOCK, changed: 1 },
  ])(
    'with a disk that goes from $from to $to bytes compares what both have, and tells',
    async ({ from, to, changed }) => {
      const bench = await newBench();
      const bytes = noise(Math.max(from, to), 1);
      const first = await bench.backup('item', [await rawDisk(bench.file('disk'), bytes.subarray(0, from))]);
      await rawDisk(bench.file('disk'), bytes.subarray(0, to));
      for (const type of ['incremental', 'differential'] as const) {
        const made = await bench.backup('item', [], { type });
        expect(made.disks[0]).toMatchObject({ virtualSize: to, blocks: { changed } });
        expect(made.warnings).toEqual([]);
        if (type === 'incremental') {
          const word = to > from ? 'grew' : 'shrank';
          expect(made.notices).toEqual([expect.stringMatching(`^disk ${word} by [\\d.]+ [KM]?i?B to [\\d.]+ [KM]iB$`)]);
        }
        expect(Buffer.compare(await bench.restored(`item@${made.point}`), bytes.subarray(0, to))).toBe(0);
      }
      expect(Buffer.compare(await bench.restored(`item@${first.point}`), bytes.subarray(0, from))).toBe(0);
    },
  );

  it('whose parents lie in folders of their own is backed up again without naming these', async () => {
    const bench = await newBench();
    await mkdir(bench.file('base'));
    const { paths, oracle } = await buildChain(bench.folder, [
      link('dynamic', { writes: [{ sector: 3, count: 90, seed: 1 }] }),
      link('differencing', { writes: [{ sector: 50, count: 20, seed: 2 }] }),
    ]);
    await rename(paths[0]!, join(bench.file('base'), basename(paths[0]!)));
    const address = { kind: 'file' as const, path: paths[1]!, parentRoots: [bench.file('base')] };
    await expect(bench.backup('item', [{ name: 'os', address: { kind: 'file', path: paths[1]! } }])).rejects.toEqual(
      code('VHD_PARENT_MISSING'),
    );
    await bench.backup('item', [{ name: 'os', address }]);
    expect((await bench.backup('item', [])).bytes.changed).toBe(0);
    expect(Buffer.compare(await bench.restored('item'), oracle)).toBe(0);
  });

  it('without disks, of an item all of whose points are forgotten, tells how to have the latest back', async () => {
    const bench = await newBench();
    const { point } = await bench.backup('item', [await rawDisk(bench.file('a'), noise(BLOCK, 1))]);
    await using session = await bench.open();
    await forget(session, { refs: [`item@${point}`] }, { force: true });
    await expect(bench.backup('item', [])).rejects.toMatchObject({
      ...{ code: 'USAGE', message: 'no disk was given, and all points of item are forgotten' },
      hint: 'name the disks: vhdvault backup item DISK..., or bring its latest point back: vhdvault unforget item',
    });
    await unforget(session, ['item']);
    expect(await bench.backup('item', [])).toMatchObject({ type: 'incremental' });
  });

  it('refuses two disks of one name, a boot disk that is none, and no disk at all', async () => {
    const bench = await newBench();
    const disk = await rawDisk(bench.file('a'), noise(BLOCK, 1));
    await expect(bench.backup('item', [disk, disk])).rejects.toEqual(code('DISK_NAME'));
    await expect(bench.backup('item', [disk], { bootDisk: 'x' })).rejects.toEqual(code('USAGE'));
    await expect(bench.backup('item', [])).rejects.toEqual(code('USAGE'));
    await expect(bench.backup('item', [])).rejects.toThrow('item has no point yet');
    await expect(bench.backup('../x', [disk])).rejects.toEqual(code('ITEM_NAME'));
    const missing = { name: 'disk', address: { kind: 'file' as const, path: bench.file('missing') } };
    await expect(bench.backup('item', [missing])).rejects.toEqual(code('NOT_FOUND'));
    expect(await bench.store.list('log')).toHaveLength(1);
    expect(await bench.store.list('staging')).toEqual([]);
    expect(await bench.store.list('locks')).toEqual([]);
  });

  it('keeps notes and tags that fit, and refuses others before it reads anything', async () => {
    const bench = await newBench();
    const disk = await rawDisk(bench.file('a'), noise(BLOCK, 1));
    const tags = Array.from({ length: 255 }, (_, n) => `tag ${n}`);
    await bench.backup('item', [disk], { tags, note: 'ä'.repeat(2048) });
    for (const options of [{ tags: [...tags, 'one more'] }, { tags: ['x'.repeat(65)] }, { note: 'x'.repeat(4097) }]) {
      await expect(bench.backup('item', [], options)).rejects.toEqual(code('USAGE'));
    }
    await using session = await bench.open();
    expect((await points(session)).points).toHaveLength(1);
  });
});

describe('a restore', () => {
  it('is alone at its target, and what a killed one left there goes', async () => {
    const bench = await newBench();
    const bytes = noise(64 * BLOCK, 1);
    await bench.backup('item', [await rawDisk(bench.file('disk.raw'), bytes)]);
    const to = bench.file('back.raw');
    await writeFile(partPath(to), 'left');
    let second: unknown;
    const pool = poolWith(async () => {
      await using other = await bench.open();
      second = await restore(other, 'item', { to }).catch((error: unknown) => error);
    });
    await using first = await bench.open({ parts: { pool } });
    await restore(first, 'item', { to });
    expect(second).toEqual(code('IMAGE_LOCKED'));
    expect(Buffer.compare(await readFile(to), bytes)).toBe(0);
    expect((await readdir(bench.folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
  });
});

describe('a run that is cancelled', () => {
  it.each([
    ['began just now', 0],
    ['are at work for 20 ms', 20],
    ['are at work for 150 ms', 150],
    ['have stored all blocks', 'end'],
  ] as const)(
    'when its threads %s leaves no point, no lock, and of its staging location at most what the next one goes on with',
    async (_, moment) => {
      const bench = await newBench({ where: 'folder' });
      const bytes = noise(1500 * BLOCK, 1);
      const disk = await rawDisk(bench.file('disk.raw'), bytes);
      const { pool, signal } = cancelledAtWork(moment);
      {
        await using session = await bench.open({ parts: { pool } });
        await expect(backup(session, 'item', [disk], { signal })).rejects.toEqual(code('CANCELLED'));
        expect((await points(session)).points).toEqual([]);
      }
      const left = await bench.store.list('staging');
      if (moment === 'end') expect(left).toHaveLength(1);
      const kept = await Promise.all(left.map((name) => bench.store.list(`staging/${name}`)));
      for (const name of kept.flat()) expect(name).toMatch(/^(journal|captured-[0-9a-f]{64})$/);
      expect(await bench.store.list('locks')).toEqual([]);
      const [cache] = await readdir(bench.cache);
      expect(await readdir(join(bench.cache, cache!, 'jobs'))).toEqual([]);
      expect((await readdir(join(bench.cache, cache!, 'tables'))).filter((name) => name.includes('.'))).toEqual([]);
      expect((await bench.verify(true)).ok).toBe(true);
      const next = await bench.backup('item', [disk]);
      expect(next.resumed === null).toBe(left.length === 0);
      expect(await bench.store.list('staging')).toEqual([]);
      expect(Buffer.compare(await bench.restored('item'), bytes)).toBe(0);
    },
  );

  it('while it restores leaves no file', async () => {
    const bench = await newBench({ where: 'folder' });
    await bench.backup('item', [await rawDisk(bench.file('disk.raw'), noise(1500 * BLOCK, 1))]);
    await mkdir(bench.file('out'));
    for (const moment of [0, 150, 'end'] as const) {
      const { pool, signal } = cancelledAtWork(moment);
      await using session = await bench.open({ parts: { pool } });
      const run = restore(session, 'item', { to: bench.file('out/back.vhd'), signal });
      await expect(run).rejects.toEqual(code('CANCELLED'));
      expect(await readdir(bench.file('out'))).toEqual([]);
    }
  });
});

describe('an encrypted vault', () => {
  it('shows nothing of a disk, and no name of item or disk, in any of its files or paths, also while a run stages', async () => {
    const bench = await newBench({ where: 'folder' });
    const canary = 'CANARY-OF-THE-DISK';
    const [item, name] = ['Secret-Item-Name', 'Secret-Disk-Name'];
    const bytes = noise(200 * BLOCK, 1);
    for (let at = 0; at < bytes.byteLength; at += BLOCK) bytes.set(Buffer.from(canary), at + 100);
    for (let at = 0; at < 20 * BLOCK; at += BLOCK) bytes.set(text(BLOCK - 200, at), at + 200);
    const disk = await rawDisk(bench.file('source.raw'), bytes, name);
    const seen: string[] = [];
    const look = async (): Promise<void> => {
      for (const path of await everyFile(bench.address)) {
        const content = await readFile(path).catch(() => Buffer.alloc(0));
        const told = `${path.slice(bench.address.length)} ${content.toString('latin1')}`;
        seen.push(path);
        for (const word of [canary, item, name, 'source.raw', 'line of a text', 'Secret note']) {
          expect(told.includes(word), `${word} in ${path}`).toBe(false);
        }
      }
    };
    let staged = false;
    {
      const pool = poolWith(async () => {
        await look();
        staged = seen.some((path) => path.includes('staging/AzureBackup-') && path.endsWith('journal'));
      });
      await using session = await bench.open({ parts: { pool } });
      await backup(session, item, [disk], { note: 'Secret note', tags: ['Secret-Tag'] });
    }
    await look();
    expect(staged).toBe(true);
    expect(seen.filter((path) => path.includes('/packs/')).length).toBeGreaterThan(1);
    // The oracle can fail: an unencrypted vault shows all of it.
    const clear = await newBench({ where: 'folder', encrypted: false, compression: 'none' });
    await clear.backup(item, [disk]);
    const contents = await Promise.all((await everyFile(clear.address)).map((path) => readFile(path)));
    for (const word of [canary, item, name]) expect(contents.some((content) => content.includes(word))).toBe(true);
  });
});
