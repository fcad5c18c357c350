import { copyFile, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { DAY } from '../../src/base/units.ts';
import { readSourceStamps, type SourceStamps, writeSourceStamps } from '../../src/cache/source-stamps.ts';
import { createImage } from '../../src/image/create-image.ts';
import { mergeImage } from '../../src/image/merge-image.ts';
import { openWritable } from '../../src/image/vhd-parser.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import type { BackupOptions, BackupResult } from '../../src/jobs/backup-types.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { previewBackup } from '../../src/jobs/preview-job.ts';
import { stampsOf } from '../../src/jobs/scratch.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, type VaultBench } from '../support/vault-bench.ts';
import { buildChain, type Link } from '../support/vhd-chain.ts';
import { chains, link } from '../support/vhd-program.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const BLOCKS = 300;
const TOP = 40;

const diskAt = (path: string): NamedDisk => ({ name: 'disk', address: { kind: 'file', path } });

/** With a real clock, which goes on between two runs. */
async function newBench(): Promise<VaultBench> {
  const bench = await openBench(folder.fresh('parents'), { where: 'folder', inThread: true });
  await mkdir(bench.folder, { recursive: true });
  return bench;
}

interface Scene {
  bench: VaultBench;
  /** An image of noise, of which a point was made, and what it holds. */
  base: string;
  bytes: Uint8Array;
  /** Makes a child of an image, with this many new blocks from `at` on. */
  child: (name: string, parent: string, at: number, blocks?: number) => Promise<string>;
  /** Backs an image up by what is known. */
  backup: (path: string, options?: BackupOptions) => Promise<BackupResult>;
}

async function backedUp(): Promise<Scene> {
  const bench = await newBench();
  const bytes = noise(BLOCKS * BLOCK, 1);
  const base = join(bench.folder, 'base.vhd');
  {
    await using image = await createImage(base, { type: 'dynamic', size: bytes.byteLength, blockSize: BLOCK });
    await image.write(0, bytes);
  }
  const scene: Scene = {
    ...{ bench, base, bytes },
    backup: (path, options) => bench.backup('item', [diskAt(path)], options),
    async child(name, parent, at, blocks = TOP) {
      const path = join(bench.folder, name);
      await using image = await createImage(path, { type: 'differencing', parent });
      const content = noise(blocks * BLOCK, at + 2);
      await image.write(at * BLOCK, content);
      bytes.set(content, at * BLOCK);
      return path;
    },
  };
  expect((await scene.backup(base)).disks[0]?.skipped).toEqual({ blocks: 0, bytes: 0, audited: 0 });
  return scene;
}

/** The point is what a run that reads all makes of the same disk, and comes back. */
async function isRight({ bench, bytes }: Scene, made: BackupResult, path: string): Promise<void> {
  const whole = await bench.backup('whole', [diskAt(path)], { type: 'full' });
  expect(whole.disks[0]?.skipped.blocks).toBe(0);
  expect(made.disks[0]?.root).toBe(whole.disks[0]?.root);
  expect(Buffer.compare(await bench.restored(`item@${made.point}`), bytes)).toBe(0);
}

/** Nothing was taken for granted. */
async function readsAll(scene: Scene, path: string, options?: BackupOptions): Promise<BackupResult> {
  const made = await scene.backup(path, options);
  expect(made.disks[0]?.skipped).toEqual({ blocks: 0, bytes: 0, audited: 0 });
  expect(made.disks[0]?.blocks.read).toBe(BLOCKS);
  await isRight(scene, made, path);
  return made;
}

async function skips(scene: Scene, path: string, options?: BackupOptions): Promise<BackupResult> {
  const made = await scene.backup(path, options);
  expect(made.disks[0]?.skipped.blocks).toBeGreaterThan(100);
  expect(made.warnings).toEqual([]);
  await isRight(scene, made, path);
  return made;
}

/** Of the disk of a session's vault: the file. */
async function withStamps<T>({ bench }: Scene, work: (session: VaultSession, path: string) => Promise<T>): Promise<T> {
  await using session = await bench.open();
  return await work(session, stampsOf(session, 'item', 'disk'));
}

/** As if the run that made the latest point had seen something else. */
async function forge(scene: Scene, change: (stamps: SourceStamps) => SourceStamps): Promise<void> {
  await withStamps(scene, async ({ vault }, path) => {
    const owner = { item: 'item', disk: 'disk' };
    await writeSourceStamps(vault, path, owner, change((await readSourceStamps(vault, path, owner))!));
  });
}

describe('a child of the disk of the latest point', () => {
  it('is all that is read, but for a sample, and the point is whole', async () => {
    const scene = await backedUp();
    const child = await scene.child('child.vhd', scene.base, 100);
    const made = await scene.backup(child);
    const skipped = BLOCKS - TOP - 64;
    expect(made.disks[0]?.skipped).toEqual({ blocks: skipped, bytes: skipped * BLOCK, audited: 64 });
    expect(made.disks[0]?.blocks).toMatchObject({ read: TOP + 64, changed: TOP, stored: TOP });
    expect(made.reason).toBe(
      `compared with the latest point, by the checksum table; disk by the parent of the disk, which is that of point ${made.base?.point}`,
    );
    await isRight(scene, made, child);
    expect((await scene.bench.verify(true)).findings).toEqual([]);
  });

  it('may have a child, and that another one, above what was read', async () => {
    const scene = await backedUp();
    const first = await scene.child('1.vhd', scene.base, 100);
    await skips(scene, first);
    const second = await scene.child('2.vhd', first, 120);
    const third = await scene.child('3.vhd', second, 10);
    const made = await skips(scene, third);
    expect(made.disks[0]?.blocks).toMatchObject({ read: 2 * TOP + 64, changed: 2 * TOP });
  });

  it('is read whole where it is the disk of the latest point itself: it may have been written to', async () => {
    const scene = await backedUp();
    const child = await scene.child('child.vhd', scene.base, 100);
    await skips(scene, child);
    await readsAll(scene, child);
  });

  it('is told by a preview, which keeps nothing', async () => {
    const scene = await backedUp();
    const child = await scene.child('child.vhd', scene.base, 100);
    await using session = await scene.bench.open();
    for (const _ of [1, 2]) {
      const { disks, reason } = await previewBackup(session, 'item', [diskAt(child)]);
      expect(disks[0]?.skipped.audited).toBe(64);
      expect(reason).toMatch('by the parent of the disk, which is that of point p');
    }
    await skips(scene, child);
  });

  it.each<[string, Partial<Link>[]]>([
    ['smaller than its parent', [{ size: 150 * 512 }, { size: 70 * 512 }]],
    ['larger', [{ size: 70 * 512 }, { size: 150 * 512 }]],
    ['larger, over one that is smaller', [{ size: 200 * 512 }, { size: 70 * 512 }, { size: 150 * 512 }]],
  ])('gives the same point as reading everything when it is %s', async (_, changes) => {
    const [base, ...children] = changes;
    const all = { sector: 0, count: 200, seed: 5 };
    const links = [link('fixed', { ...base, writes: [all] }), ...children.map((one) => link('differencing', one))];
    await compare(links, 1);
  });

  it('gives it whatever the sizes of images and blocks are', async () => {
    await fc.assert(
      fc.asyncProperty(chains(), fc.nat(), async (links, cut) => {
        await compare(links, 1 + (cut % (links.length - 1)));
      }),
      { numRuns: 25 },
    );
  });

  /** Backs the first `cut` images of a chain up, then the whole chain, by what is known and without. */
  async function compare(links: readonly Link[], cut: number): Promise<void> {
    const bench = await newBench();
    const { paths, oracle } = await buildChain(bench.folder, links);
    const before = await bench.backup('item', [diskAt(paths[cut - 1]!)]);
    const made = await bench.backup('item', [diskAt(paths.at(-1)!)]);
    expect(made.reason).toMatch('by the parent of the disk');
    const whole = await bench.backup('whole', [diskAt(paths.at(-1)!)]);
    expect(made.disks[0]?.root).toBe(whole.disks[0]?.root);
    expect(Buffer.compare(await bench.restored(`item@${made.point}`), oracle)).toBe(0);
    await bench.backup('before', [diskAt(paths[cut - 1]!)]);
    expect(await bench.restored(`item@${before.point}`)).toEqual(await bench.restored('before'));
  }
});

describe('everything is read', () => {
  it.each<[string, (scene: Scene) => Promise<void>]>([
    [
      'was written to, and its times put back',
      async ({ base, bytes }) => {
        const { atime, mtime } = await stat(base);
        await using image = await openWritable(base);
        await image.write(7 * BLOCK, noise(BLOCK, 99));
        bytes.set(noise(BLOCK, 99), 7 * BLOCK);
        await utimes(base, atime, mtime);
      },
    ],
    [
      'is another file of the same bytes, size and times',
      async ({ base }) => {
        const { atime, mtime } = await stat(base);
        await copyFile(base, `${base}.copy`);
        await rename(`${base}.copy`, base);
        await utimes(base, atime, mtime);
      },
    ],
  ])('where the parent %s', async (_, change) => {
    const scene = await backedUp();
    await change(scene);
    const child = await scene.child('child.vhd', scene.base, 100);
    expect((await readsAll(scene, child)).reason).not.toMatch('parent');
  });

  it('where the child that was read last was merged into its parent', async () => {
    const scene = await backedUp();
    const first = await scene.child('1.vhd', scene.base, 100);
    await skips(scene, first);
    await mergeImage(first);
    await readsAll(scene, await scene.child('2.vhd', scene.base, 10));
  });

  it.each<[string, (scene: Scene) => Promise<unknown>]>([
    ['is gone', (scene) => withStamps(scene, (_, path) => rm(path))],
    ['is empty', (scene) => withStamps(scene, (_, path) => writeFile(path, ''))],
    [
      'has a flipped bit',
      (scene) =>
        withStamps(scene, async (_, path) => {
          const bytes = await readFile(path);
          bytes[60] = bytes[60]! ^ 1;
          await writeFile(path, bytes);
        }),
    ],
    [
      'is that of another disk',
      (scene) =>
        withStamps(scene, async ({ vault }, path) => {
          const owner = { item: 'item', disk: 'disk' };
          const stamps = (await readSourceStamps(vault, path, owner))!;
          await writeSourceStamps(vault, path, { ...owner, disk: 'other' }, stamps);
        }),
    ],
    ['is of another point', (scene) => forge(scene, (stamps) => ({ ...stamps, point: '0'.repeat(16) }))],
    ['is of another map', (scene) => forge(scene, (stamps) => ({ ...stamps, root: '0'.repeat(64) }))],
    ['names no file', (scene) => forge(scene, (stamps) => ({ ...stamps, files: [] }))],
  ])('where what was noted of the sources %s', async (_, hurt) => {
    const scene = await backedUp();
    await hurt(scene);
    await readsAll(scene, await scene.child('child.vhd', scene.base, 100));
  });

  it('where the latest point is not the one of that file, but one that a killed run had made', async () => {
    const scene = await backedUp();
    const kept = await withStamps(scene, (_, path) => readFile(path));
    const child = await scene.child('child.vhd', scene.base, 100);
    await skips(scene, child);
    // Killed between the commit and what follows it.
    await withStamps(scene, (_, path) => writeFile(path, kept));
    await readsAll(scene, await scene.child('2.vhd', child, 10));
  });

  it('where the latest point was forgotten', async () => {
    const scene = await backedUp();
    const child = await scene.child('child.vhd', scene.base, 100);
    const { point } = await skips(scene, child);
    {
      await using session = await scene.bench.open();
      await forget(session, { refs: [`item@${point}`] }, { force: true });
    }
    await readsAll(scene, await scene.child('2.vhd', child, 10));
  });

  it.each(['full', 'differential'] as const)('where a %s point is made', async (type) => {
    const scene = await backedUp();
    await readsAll(scene, await scene.child('child.vhd', scene.base, 100), { type });
  });

  it('where nothing of the base is believed, since a pack was quarantined', async () => {
    const scene = await backedUp();
    const child = await scene.child('child.vhd', scene.base, 100);
    await using session = await scene.bench.open();
    const [pack] = await everyPack(scene.bench);
    await session.vault.commit(() => ({ type: 'quarantine', pack: pack!, frames: 'all' }));
    const made = await readsAll(scene, child);
    expect(made.healed).toBeGreaterThan(100);
  });
});

async function everyPack({ address }: VaultBench): Promise<string[]> {
  const files = await readdir(join(address, 'packs'), { recursive: true, withFileTypes: true });
  const sized = files.filter((file) => file.isFile()).map((file) => join(file.parentPath, file.name));
  const sizes = await Promise.all(sized.map(async (path) => ({ path, size: (await stat(path)).size })));
  return sizes.sort((a, b) => b.size - a.size).map(({ path }) => basename(path));
}

describe('the audit of what is not read', () => {
  /** The parent changes, and what was noted of it says that it did not: as a writer that leaves no trace would do. */
  async function changedBehindOurBack(blocks: number): Promise<Scene & { path: string }> {
    const scene = await backedUp();
    {
      await using image = await openWritable(scene.base);
      const content = noise(blocks * BLOCK, 77);
      await image.write(0, content);
      scene.bytes.set(content);
    }
    const path = await scene.child('child.vhd', scene.base, 200);
    const elsewhere = await scene.bench.backup('other', [diskAt(scene.base)]);
    expect(elsewhere.type).toBe('full');
    await withStamps(scene, async (session, file) => {
      const { vault } = session;
      const other = await readSourceStamps(vault, stampsOf(session, 'other', 'disk'), { item: 'other', disk: 'disk' });
      const own = await readSourceStamps(vault, file, { item: 'item', disk: 'disk' });
      await writeSourceStamps(vault, file, { item: 'item', disk: 'disk' }, { ...own!, files: other!.files });
    });
    return { ...scene, path };
  }

  it('finds a parent that changed without a trace: a warning, and this point is right', async () => {
    const scene = await changedBehindOurBack(150);
    const made = await scene.backup(scene.path);
    expect(made.disks[0]?.skipped.blocks).toBe(0);
    expect(made.warnings).toEqual([
      expect.stringMatching(/^disk: at byte \d+ the disk is not what its latest point has/),
    ]);
    expect(made.warnings[0]).toMatch(scene.base);
    expect(made.warnings[0]).toMatch('--full-scan-every 0s');
    expect(made.reason).toMatch('disk was read whole, since its parent is not what it was');
    await isRight(scene, made, scene.path);
    expect(await scene.bench.store.list('staging')).toEqual([]);
    // Pages of the map that was thrown away are left for gc.
    const { findings } = await scene.bench.verify(true);
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  });

  it('is made by a preview too', async () => {
    const scene = await changedBehindOurBack(150);
    await using session = await scene.bench.open();
    const { warnings, disks } = await previewBackup(session, 'item', [diskAt(scene.path)]);
    expect(warnings).toHaveLength(1);
    expect(disks[0]?.blocks.changed).toBe(150 + TOP);
  });

  it('finds each block with the same chance', async () => {
    const scene = await changedBehindOurBack(1);
    const before = await withStamps(scene, (_, path) => readFile(path));
    let found = 0;
    for (let n = 0; n < 40; n++) {
      await using session = await scene.bench.open();
      await writeFile(stampsOf(session, 'item', 'disk'), before);
      const { warnings } = await previewBackup(session, 'item', [diskAt(scene.path)]);
      found += warnings.length;
    }
    // 64 of 260 blocks: about one run in four.
    expect(found).toBeGreaterThan(1);
    expect(found).toBeLessThan(25);
  });
});

describe('a disk is read whole from time to time', () => {
  /** The clock of a later day, and of runs on it. */
  function later(days: number): Clock {
    return { ...systemClock, now: () => systemClock.now() + days * DAY };
  }

  async function at(scene: Scene, days: number, path: string, options: BackupOptions = {}): Promise<BackupResult> {
    await using session = await scene.bench.open({ parts: { clock: later(days) } });
    return await backup(session, 'item', [diskAt(path)], { acceptClock: true, ...options });
  }

  it('after 30 days, and then no more for 30 days', async () => {
    const scene = await backedUp();
    let path = scene.base;
    const whole: boolean[] = [];
    // The clock of the machine does not jump by so much in a test: what was noted is older.
    for (const days of [10, 29.9, 30.1, 5]) {
      path = await scene.child(`${days}.vhd`, path, 100);
      await forge(scene, (stamps) => ({ ...stamps, wholeAt: systemClock.now() - days * DAY }));
      const made = await scene.backup(path);
      whole.push(made.disks[0]?.skipped.blocks === 0);
      if (days === 30.1) expect(made.reason).toMatch(/disk was read whole, since it last was on \d{4}-\d\d-\d\d$/);
      await isRight(scene, made, path);
    }
    expect(whole).toEqual([false, false, true, false]);
  });

  it('counts from the last run that read everything, not from the last run', async () => {
    const scene = await backedUp();
    const first = await scene.child('1.vhd', scene.base, 100);
    const wholeAt = systemClock.now() - 20 * DAY;
    await forge(scene, (stamps) => ({ ...stamps, wholeAt }));
    await skips(scene, first);
    await forge(scene, (stamps) => {
      expect(stamps.wholeAt).toBe(wholeAt);
      return stamps;
    });
    const second = await scene.child('2.vhd', first, 10);
    await readsAll(scene, second, { fullScanEvery: 19 * DAY });
    await forge(scene, (stamps) => {
      expect(stamps.wholeAt).toBe(stamps.made);
      return stamps;
    });
  });

  it('always, where that is asked for', async () => {
    const scene = await backedUp();
    const made = await readsAll(scene, await scene.child('1.vhd', scene.base, 100), { fullScanEvery: 0 });
    expect(made.reason).toMatch('disk was read whole, as was asked for');
  });

  it('where the clock went back, or is in doubt', async () => {
    const scene = await backedUp();
    const child = await scene.child('1.vhd', scene.base, 100);
    await forge(scene, (stamps) => ({ ...stamps, made: systemClock.now() + 60_000 }));
    expect((await readsAll(scene, child)).reason).toMatch('since the clock is in doubt');
    const second = await scene.child('2.vhd', child, 10);
    const made = await at(scene, 3, second);
    expect(made.disks[0]?.skipped.blocks).toBe(0);
    expect(made.reason).toMatch('since the clock is in doubt');
  });

  it('refuses a span that is none', async () => {
    const { backup: make, base } = await backedUp();
    for (const fullScanEvery of [-1, Number.NaN]) {
      await expect(make(base, { fullScanEvery })).rejects.toMatchObject({ code: 'USAGE' });
    }
  });
});
