import { closeSync, copyFileSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { copyFile, cp, link, mkdir, readFile, rename, rm, symlink, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/base/random.ts';
import { createImage } from '../../src/image/create-image.ts';
import { openDisk, openWritable, resizeImage } from '../../src/image/vhd-parser.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import type { BackupResult } from '../../src/jobs/backup-types.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { points } from '../../src/jobs/points.ts';
import { previewBackup } from '../../src/jobs/preview-job.ts';
import { stampsOf } from '../../src/jobs/scratch.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const BLOCKS = 200;
const TOP = 20;
/** When images were written, as their files tell. */
const WRITTEN = new Date('2026-01-01');

const diskAt = (path: string, format?: 'raw'): NamedDisk => ({
  ...{ name: 'disk', address: { kind: 'file', path, ...(format && { format }) } },
});

interface Scene {
  bench: VaultBench;
  at: (...names: string[]) => string;
  /** Of the item `item`. */
  backUp: (path: string, format?: 'raw') => Promise<BackupResult>;
}

/** A point was made of `base.vhd`, which is full of noise. */
async function backedUp(): Promise<Scene> {
  const scene = await newScene();
  await newImage(scene.at('base.vhd'), 1);
  await scene.backUp(scene.at('base.vhd'));
  return scene;
}

async function newScene(): Promise<Scene> {
  const bench = await openBench(folder.fresh('others'), { where: 'folder', inThread: true });
  const disks = join(bench.folder, 'disks');
  await mkdir(disks, { recursive: true });
  return {
    bench,
    at: (...names) => join(disks, ...names),
    backUp: (path, format) => bench.backup('item', [diskAt(path, format)]),
  };
}

async function newImage(path: string, seed: number): Promise<void> {
  {
    await using image = await createImage(path, { type: 'fixed', size: BLOCKS * BLOCK });
    await image.write(0, noise(BLOCKS * BLOCK, seed));
  }
  await utimes(path, WRITTEN, WRITTEN);
}

/** A child that stores so many blocks from `block` on; in place of what was there. */
async function newChild(path: string, parent: string, block: number): Promise<string> {
  await using image = await createImage(path, { type: 'differencing', parent, force: true });
  await image.write(block * BLOCK, noise(TOP * BLOCK, block + 2));
  return path;
}

/** Other content, and all that can be put back is. */
async function changeQuietly(path: string): Promise<void> {
  {
    await using image = await openWritable(path);
    await image.write(7 * BLOCK, noise(BLOCK, 99));
  }
  await utimes(path, WRITTEN, WRITTEN);
}

/** Of the same unique id, size and times, and of other content. */
async function newTwin(path: string, of: string): Promise<string> {
  await copyFile(of, path);
  await changeQuietly(path);
  return path;
}

/** The point is what a run that takes nothing for granted makes of the disk, and reads as the disk does. */
async function expectRight({ bench }: Scene, made: BackupResult, disks: readonly NamedDisk[]): Promise<void> {
  const whole = await bench.backup('whole', disks, { type: 'full' });
  for (const [n, { name, address }] of disks.entries()) {
    expect(made.disks[n]!.root).toBe(whole.disks[n]!.root);
    await using disk = await openDisk(address.path);
    const bytes = new Uint8Array(disk.size);
    await disk.read(0, bytes);
    expect(Buffer.compare(await bench.restored(`item@${made.point}`, name), bytes)).toBe(0);
  }
}

async function backsUp(scene: Scene, path: string, how: 'whole' | 'above'): Promise<BackupResult> {
  const made = await scene.backUp(path);
  expect(made.warnings).toEqual([]);
  if (how === 'whole') expect(made.disks[0]!.skipped.blocks).toBe(0);
  else expect(made.disks[0]!.skipped.blocks).toBeGreaterThan(50);
  await expectRight(scene, made, [diskAt(path)]);
  return made;
}

describe('a parent is not what was backed up, and everything is read, where', () => {
  /** What is done after the point was made of `base.vhd`; gives the image that is backed up then. */
  const others: [string, (scene: Scene) => Promise<string>][] = [
    [
      'another image of its unique id, size and times has its name',
      async ({ at }) => {
        await rename(await newTwin(at('twin.vhd'), at('base.vhd')), at('base.vhd'));
        return await newChild(at('child.vhd'), at('base.vhd'), 100);
      },
    ],
    [
      'the child is over another image of that unique id',
      async ({ at }) => await newChild(at('child.vhd'), await newTwin(at('twin.vhd'), at('base.vhd')), 100),
    ],
    [
      'the child was given another parent of that unique id',
      async ({ at, backUp }) => {
        const child = await newChild(at('child.vhd'), at('base.vhd'), 100);
        await backUp(child);
        await newTwin(at('twin.vhd'), at('base.vhd'));
        // The child is not touched, but for what lies under the name that it tells.
        await rename(at('base.vhd'), at('old.vhd'));
        await rename(at('twin.vhd'), at('base.vhd'));
        return await newChild(at('next.vhd'), child, 10);
      },
    ],
    [
      'the folder of its name is another one',
      async ({ at, backUp }) => {
        for (const name of ['a', 'b']) await mkdir(at(name));
        await copyFile(at('base.vhd'), at('a', 'base.vhd'));
        await utimes(at('a', 'base.vhd'), WRITTEN, WRITTEN);
        await newTwin(at('b', 'base.vhd'), at('base.vhd'));
        await backUp(at('a', 'base.vhd'));
        await rename(at('a'), at('c'));
        await rename(at('b'), at('a'));
        return await newChild(at('a', 'child.vhd'), at('a', 'base.vhd'), 100);
      },
    ],
    [
      'the link of its name leads elsewhere',
      async ({ at, backUp }) => {
        await newTwin(at('twin.vhd'), at('base.vhd'));
        await symlink('base.vhd', at('link.vhd'));
        await backUp(at('link.vhd'));
        await rm(at('link.vhd'));
        await symlink('twin.vhd', at('link.vhd'));
        return await newChild(at('child.vhd'), at('link.vhd'), 100);
      },
    ],
    [
      'it was moved',
      async ({ at }) => {
        await mkdir(at('elsewhere'));
        await rename(at('base.vhd'), at('elsewhere', 'base.vhd'));
        return await newChild(at('child.vhd'), at('elsewhere', 'base.vhd'), 100);
      },
    ],
    [
      'it has another name too',
      async ({ at }) => {
        await link(at('base.vhd'), at('same.vhd'));
        return await newChild(at('child.vhd'), at('same.vhd'), 100);
      },
    ],
    [
      'it was made larger',
      async ({ at }) => {
        await resizeImage(at('base.vhd'), (BLOCKS + 40) * BLOCK);
        return await newChild(at('child.vhd'), at('base.vhd'), 100);
      },
    ],
    [
      'its own parent changed',
      async ({ at, backUp }) => {
        const child = await newChild(at('child.vhd'), at('base.vhd'), 100);
        await backUp(child);
        await changeQuietly(at('base.vhd'));
        return await newChild(at('next.vhd'), child, 10);
      },
    ],
    [
      'it was read as a raw file, footer and all',
      async ({ at, backUp }) => {
        expect((await backUp(at('base.vhd'), 'raw')).disks[0]!.virtualSize).toBe(BLOCKS * BLOCK + 512);
        return await newChild(at('child.vhd'), at('base.vhd'), 100);
      },
    ],
  ];

  it.each(others)('%s', async (_, change) => {
    const scene = await backedUp();
    await backsUp(scene, await change(scene), 'whole');
  });
});

describe('what a child had is not taken for its parent’s where', () => {
  const turns: [string, (scene: Scene, child: string) => Promise<string>][] = [
    ['it was made anew over the same parent', ({ at }, child) => newChild(child, at('base.vhd'), 10)],
    ['another child of that parent has its place', ({ at }) => newChild(at('other.vhd'), at('base.vhd'), 10)],
    ['the disk is the parent again', async ({ at }) => at('base.vhd')],
    [
      'it was made anew over the same parent, and has a child',
      async ({ at }, child) => await newChild(at('next.vhd'), await newChild(child, at('base.vhd'), 10), 50),
    ],
    [
      'its point was forgotten, and it was made anew',
      async ({ at, bench }, child) => {
        await forgetLatest(bench);
        return await newChild(child, at('base.vhd'), 10);
      },
    ],
    [
      'its point was forgotten and brought back, and it was made anew',
      async ({ at, bench }, child) => {
        const point = await forgetLatest(bench);
        await using session = await bench.open();
        await unforget(session, [point]);
        return await newChild(child, at('base.vhd'), 10);
      },
    ],
  ];

  it.each(turns)('%s', async (_, turn) => {
    const scene = await backedUp();
    const child = await newChild(scene.at('child.vhd'), scene.at('base.vhd'), 100);
    await backsUp(scene, child, 'above');
    await backsUp(scene, await turn(scene, child), 'whole');
  });

  it('its point was forgotten, and the cache is of the time before it: then that knows the parent', async () => {
    const scene = await backedUp();
    const { bench, at } = scene;
    await cp(bench.cache, `${bench.cache}.old`, { recursive: true });
    const child = await newChild(at('child.vhd'), at('base.vhd'), 100);
    const { point } = await backsUp(scene, child, 'above');
    const putBack = async (): Promise<void> => {
      await rm(bench.cache, { recursive: true });
      await cp(`${bench.cache}.old`, bench.cache, { recursive: true });
    };
    await putBack();
    await backsUp(scene, await newChild(child, at('base.vhd'), 10), 'whole');
    await forgetLatest(bench);
    await using session = await bench.open();
    await forget(session, { refs: [`item@${point}`] }, { force: true });
    await putBack();
    await backsUp(scene, await newChild(child, at('base.vhd'), 50), 'above');
  });

  it('two disks of one parent have swapped their names', async () => {
    const { bench, at, ...rest } = await backedUp();
    const disksAt = (a: string, b: string): NamedDisk[] =>
      [a, b].map((path, n) => ({ name: 'ab'[n]!, address: { kind: 'file', path } }));
    const steps = async (disks: NamedDisk[], skips: boolean): Promise<void> => {
      const made = await bench.backup('item', disks);
      expect(made.disks.map(({ skipped }) => skipped.blocks > 0)).toEqual([skips, skips]);
      await expectRight({ bench, at, ...rest }, made, disks);
    };
    await steps(disksAt(at('base.vhd'), at('base.vhd')), false);
    const a = await newChild(at('a.vhd'), at('base.vhd'), 100);
    const b = await newChild(at('b.vhd'), at('base.vhd'), 150);
    await steps(disksAt(a, b), true);
    const [nextA, nextB] = [await newChild(at('a2.vhd'), a, 10), await newChild(at('b2.vhd'), b, 20)];
    await steps(disksAt(nextB, nextA), false);
  });
});

async function forgetLatest(bench: VaultBench): Promise<string> {
  await using session = await bench.open();
  const { forgotten } = await forget(session, { refs: ['item@latest'] }, { force: true });
  return `item@${forgotten[0]!.point}`;
}

describe('a cache', () => {
  it('that is gone, or another vault’s, tells nothing', async () => {
    const scene = await backedUp();
    const { bench, at } = scene;
    await rm(bench.cache, { recursive: true });
    const child = await newChild(at('child.vhd'), at('base.vhd'), 100);
    await backsUp(scene, child, 'whole');
    const other = await openBench(folder.fresh('other'), { where: 'folder', inThread: true });
    await other.backup('item', [diskAt(child)]);
    const fileOf = async (vault: VaultBench): Promise<string> => {
      await using session = await vault.open();
      return stampsOf(session, 'item', 'disk');
    };
    await copyFile(await fileOf(other), await fileOf(bench));
    await backsUp(scene, await newChild(at('next.vhd'), child, 10), 'whole');
  });
});

describe('where a file changes while only what lies above is read, there is no point', () => {
  /** Done when the scan has ended, and the sample of what was not read is being drawn. */
  const changes: [string, (scene: Scene) => Promise<() => void>][] = [
    [
      'the child stores more now',
      async ({ at }) => {
        const more = await newChild(at('more.vhd'), at('base.vhd'), 100);
        {
          await using image = await openWritable(more);
          await image.write(0, noise(BLOCKS * BLOCK, 5));
        }
        const bytes = await readFile(more);
        return () => writeFileSync(at('child.vhd'), bytes);
      },
    ],
    [
      'the child is gone',
      async ({ at }) =>
        () =>
          rmSync(at('child.vhd')),
    ],
    [
      'the child is another one',
      async ({ at }) =>
        () =>
          copyFileSync(at('base.vhd'), at('child.vhd')),
    ],
    [
      'the parent was written to',
      async ({ at }) =>
        () =>
          writeAt(at('base.vhd'), 150 * BLOCK),
    ],
    [
      'the parent is gone',
      async ({ at }) =>
        () =>
          rmSync(at('base.vhd')),
    ],
  ];

  const verbs = { backup, preview: previewBackup };
  const rows = changes.flatMap(([title, prepare]) =>
    Object.entries(verbs).map(([verb, make]) => ({ title, verb, prepare, make })),
  );

  it.each(rows)('$title ($verb)', async ({ prepare, make }) => {
    const scene = await backedUp();
    const child = await newChild(scene.at('child.vhd'), scene.at('base.vhd'), 100);
    const change = await prepare(scene);
    let drawn = 0;
    const random = {
      bytes(length: number): Uint8Array {
        // The first are of the names of packs.
        if (length === 6 && ++drawn === 10) change();
        return systemRandom.bytes(length);
      },
    };
    await using session = await scene.bench.open({ parts: { random } });
    await expect(make(session, 'item', [diskAt(child)])).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    expect(drawn).toBeGreaterThan(60);
    expect((await points(session)).points).toHaveLength(1);
  });

  function writeAt(path: string, offset: number): void {
    const file = openSync(path, 'r+');
    writeSync(file, noise(512, 6), 0, 512, offset);
    closeSync(file);
  }
});
