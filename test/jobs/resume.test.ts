import { readdirSync, statSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import type { BackupResult } from '../../src/jobs/backup-types.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import type { Pool } from '../../src/pool/pool.ts';
import { createStaging } from '../../src/staging/staging-location.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1 << 20;
const SIZE = 48 * MIB;
const NOISE = noise(SIZE, 1);
const code = (word: string): object => expect.objectContaining({ code: word });

interface Scene {
  bench: VaultBench;
  bytes: Uint8Array;
  disk: NamedDisk;
  /** Names of the packs that the interrupted run stored, and its staging location. */
  captured: string[];
  staging: string;
}

/** A run that was interrupted after it had stored a part of a disk of noise. */
async function interrupted(): Promise<Scene> {
  const bench = await openBench(folder.fresh('resume'), {
    where: 'folder',
    inThread: true,
    compression: 'none',
    blockSize: 128 * 1024,
  });
  await mkdir(bench.folder, { recursive: true });
  const bytes = Uint8Array.from(NOISE);
  const disk = await rawDisk(join(bench.folder, 'disk.raw'), bytes);
  await interrupt(bench, disk);
  const [staging] = await bench.store.list('staging');
  const names = await bench.store.list(`staging/${staging}`);
  const captured = names.filter((name) => name.startsWith('captured-')).map((name) => name.slice('captured-'.length));
  expect(names).toHaveLength(captured.length + 1);
  expect(captured.length).toBeGreaterThan(0);
  return { bench, bytes, disk, captured, staging: staging! };
}

/** Cancels a run once it has written some of a pack. Progress is told so seldom that a run may be over before. */
async function interrupt(bench: VaultBench, disk: NamedDisk, item = 'item'): Promise<void> {
  const controller = new AbortController();
  const looking = setInterval(() => {
    if (bytesOfOpenPacks(bench) > 4 * MIB) controller.abort();
  }, 1);
  const run = bench.backup(item, [disk], { signal: controller.signal });
  await expect(run).rejects.toEqual(code('CANCELLED'));
  clearInterval(looking);
}

function bytesOfOpenPacks({ address }: VaultBench): number {
  const staging = join(address, 'staging');
  try {
    const names = readdirSync(staging, { recursive: true, encoding: 'utf8' }).filter((name) => /pack-/.test(name));
    return names.reduce((sum, name) => sum + statSync(join(staging, name)).size, 0);
  } catch {
    // Gone in this moment.
    return 0;
  }
}

const packOf = ({ bench }: Scene, name: string): string => join(bench.address, 'packs', name.slice(0, 2), name);

function flipAt(bytes: Buffer, at: number): Buffer {
  const place = bytes.byteLength + at;
  bytes[place] = bytes[place]! ^ 1;
  return bytes;
}

async function bytesIn(bench: VaultBench): Promise<number> {
  const packs = await readdir(join(bench.address, 'packs'), { recursive: true, withFileTypes: true });
  const sizes = await Promise.all(
    packs
      .filter((entry) => entry.isFile())
      .map(async (entry) => (await readFile(join(entry.parentPath, entry.name))).byteLength),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The next run is right, leaves nothing behind, and has what it tells. */
async function goesOn({ bench, bytes, disk }: Scene): Promise<BackupResult> {
  const made = await bench.backup('item', [disk]);
  expect(made.disks[0]?.blocks).toMatchObject({ changed: SIZE / (128 * 1024), stored: SIZE / (128 * 1024) });
  expect(made.warnings).toEqual([]);
  expect(Buffer.compare(await bench.restored('item'), bytes)).toBe(0);
  expect(await bench.store.list('staging')).toEqual([]);
  expect((await bench.verify()).findings.filter(({ severity }) => severity === 'damage')).toEqual([]);
  return made;
}

describe('the run after an interrupted one', () => {
  it('uses all that was stored, tells how much, and stores only the rest', async () => {
    const scene = await interrupted();
    const before = await bytesIn(scene.bench);
    const made = await goesOn(scene);
    expect(made.resumed?.bytes).toBeGreaterThan(0.98 * before);
    expect(made.resumed?.blocks).toBeGreaterThan(30);
    // Once each: nothing was stored a second time.
    expect(await bytesIn(scene.bench)).toBeLessThan(SIZE * 1.01);
    expect(made.bytes.stored).toBeGreaterThan(SIZE);
  });

  it('does so on another machine too, which has no cache of it', async () => {
    const scene = await interrupted();
    await rm(scene.bench.cache, { recursive: true });
    expect((await goesOn(scene)).resumed?.bytes).toBeGreaterThan(4 * MIB);
  });

  it('goes on also where what that one kept in the cache cannot be removed', async () => {
    const scene = await interrupted();
    const [vault] = await readdir(scene.bench.cache);
    const stays = join(scene.bench.cache, vault!, 'jobs', `${scene.staging.slice(-32)}.01234567.sqlite`);
    await mkdir(stays);
    expect((await goesOn(scene)).resumed).not.toBeNull();
    await rm(stays, { recursive: true });
  });

  it('reads everything again: what changed on the disk since is in the point', async () => {
    const scene = await interrupted();
    scene.bytes.set(noise(SIZE / 2, 2), 0);
    await rawDisk(scene.disk.address.path, scene.bytes);
    const made = await goesOn(scene);
    expect(made.resumed).not.toBeNull();
  });

  it.each([
    ['is gone', (path: string) => rm(path)],
    ['was cut', (path: string) => truncate(path, 2 * MIB)],
    ['has other bytes at its end', async (path: string) => writeFile(path, flipAt(await readFile(path), -300))],
    ['has another bit in a block', async (path: string) => writeFile(path, flipAt(await readFile(path), -(1 << 20)))],
    ['is empty', (path: string) => truncate(path, 0)],
    [
      'cannot be read',
      (path: string) =>
        rm(path)
          .then(() => mkdir(path))
          .then(() => undefined),
    ],
  ])('stores a pack again that %s', async (_, spoil) => {
    const scene = await interrupted();
    for (const name of scene.captured) await spoil(packOf(scene, name));
    const made = await goesOn(scene);
    expect(made.resumed).toMatchObject({ blocks: 0, bytes: 0 });
  });

  it('takes no pack of another job, whatever its staging location claims', async () => {
    const scene = await interrupted();
    const { bench, captured, staging } = scene;
    const other = await rawDisk(join(bench.folder, 'other.raw'), noise(SIZE, 1), 'other');
    await interrupt(bench, other, 'other');
    const theirs = (await bench.store.list('staging')).find((name) => name !== staging)!;
    for (const name of captured)
      await bench.store.create(`staging/${theirs}/captured-${name}`).then((file) => file[Symbol.asyncDispose]());
    const made = await bench.backup('other', [other]);
    expect(made.disks[0]?.blocks.stored).toBe(SIZE / (128 * 1024));
    // The first job's packs are no part of this point: when it is given up they would be gone.
    for (const name of captured) await rm(packOf(scene, name));
    expect(Buffer.compare(await bench.restored('other'), scene.bytes)).toBe(0);
  });

  it('begins a new job when the interrupted one was given up in the log, and relies on none of its packs', async () => {
    const scene = await interrupted();
    {
      await using session = await scene.bench.open();
      const [job] = [...session.vault.state.jobs].find(([, state]) => state === 'open')!;
      await session.vault.abandonJob(job, `staging/${scene.staging}`, job);
    }
    const made = await goesOn(scene);
    expect(made.resumed).toBeNull();
    for (const name of scene.captured) await rm(packOf(scene, name));
    expect(Buffer.compare(await scene.bench.restored('item'), scene.bytes)).toBe(0);
  });

  it('adds nothing of what was stored in vain: the disk holds something else now', async () => {
    const scene = await interrupted();
    scene.bytes.set(noise(SIZE, 2));
    await rawDisk(scene.disk.address.path, scene.bytes);
    expect((await goesOn(scene)).resumed).toMatchObject({ blocks: 0, bytes: 0 });
    await using session = await scene.bench.open();
    const added = session.vault.state.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    expect(added).toBeLessThan(SIZE * 1.01);
  });

  it('closes and removes what was interrupted in another staging folder than its own', async () => {
    const { bench, disk, bytes } = await interrupted();
    {
      const store = { kind: 'folder' as const, path: bench.address, staging: join(bench.folder, 'elsewhere') };
      await using session = await bench.open({ parts: { store } });
      const made = await backup(session, 'item', [disk]);
      expect(made).toMatchObject({ resumed: null, notices: [expect.stringContaining('left behind was removed')] });
      expect([...session.vault.state.jobs.values()]).not.toContain('open');
    }
    expect(await bench.store.list('staging')).toEqual([]);
    expect(await readdir(join(bench.folder, 'elsewhere')).catch(() => [])).toEqual([]);
    expect(Buffer.compare(await bench.restored('item'), bytes)).toBe(0);
  });

  it('is not misled by copies of a staging location', async () => {
    const scene = await interrupted();
    const place = join(scene.bench.address, 'staging');
    const copies = ['AzureBackup-', 'AzureBackup-x', `${scene.staging}.bak`, `AzureBackup-${'0'.repeat(32)}`];
    for (const name of copies) await cp(join(place, scene.staging), join(place, name), { recursive: true });
    const made = await scene.bench.backup('item', [scene.disk]);
    expect(made.notices).toEqual([]);
    expect(made.resumed?.bytes).toBeGreaterThan(4 * MIB);
    expect(await scene.bench.store.list('staging')).toEqual(copies.sort());
  });

  it('goes on again and again', async () => {
    const scene = await interrupted();
    await interrupt(scene.bench, scene.disk);
    await interrupt(scene.bench, scene.disk);
    expect(await scene.bench.store.list('staging')).toEqual([scene.staging]);
    expect((await goesOn(scene)).resumed?.bytes).toBeGreaterThan(4 * MIB);
    expect(await bytesIn(scene.bench)).toBeLessThan(SIZE * 1.1);
  });

  it('of another item leaves it alone', async () => {
    const { bench, staging, disk } = await interrupted();
    const made = await bench.backup('other', [{ ...disk, name: 'x' }]);
    expect(made.resumed).toBeNull();
    expect(await bench.store.list('staging')).toEqual([staging]);
  });

  it('with the journal damaged begins anew, and leaves alone what nobody can read', async () => {
    const scene = await interrupted();
    await writeFile(join(scene.bench.address, 'staging', scene.staging, 'journal'), 'nonsense');
    const made = await scene.bench.backup('item', [scene.disk]);
    expect(made.resumed).toBeNull();
    expect(await scene.bench.store.list('staging')).toEqual([scene.staging]);
    expect(Buffer.compare(await scene.bench.restored('item'), scene.bytes)).toBe(0);
  });

  it('finishes a run that died after its point was saved: merge-back, and the staging location goes', async () => {
    const scene = await interrupted();
    const { bench, disk } = scene;
    const [job] = [scene.staging.slice('AzureBackup-'.length)];
    const made = await goesOn(scene);
    // As a kill between the commit and merge-back would leave it: the journal there, the tables under the job's name.
    const [cache] = await readdir(bench.cache);
    const tables = join(bench.cache, cache!, 'tables');
    const [table] = await readdir(tables);
    await rename(join(tables, table!), join(tables, `${table}.${job}.00000000`));
    {
      await using session = await bench.open();
      await createStaging(session.vault, job!, { item: 'item', started: 1 });
    }
    const next = await bench.backup('item', [disk]);
    expect(next).toMatchObject({ resumed: null, base: { point: made.point } });
    expect(next.reason).toBe('compared with the latest point, by the checksum table');
    expect(next.notices).toEqual([expect.stringContaining('had saved its point')]);
    expect(await readdir(tables)).toEqual([table]);
    expect(await bench.store.list('staging')).toEqual([]);
  });

  it('whose job another run went on with and finished meanwhile says so (exit 11), and makes no second point', async () => {
    const { bench, disk, bytes } = await interrupted();
    const inner = openInThreadPool(2);
    // As if the heartbeats of this run had not been seen on another machine, which has a cache of its own.
    const takeOver = async (): Promise<BackupResult> => {
      await rm(join(bench.address, 'locks'), { recursive: true });
      await mkdir(join(bench.address, 'locks'));
      await using other = await bench.open({ cache: join(bench.folder, 'other-cache') });
      return await backup(other, 'item', [disk]);
    };
    let taken: Promise<BackupResult> | undefined;
    const pool: Pool = {
      threads: 2,
      prepare: () => undefined,
      run: async (task, input) => {
        taken ??= takeOver();
        await taken;
        return inner.run(task, input);
      },
      [Symbol.asyncDispose]: async () => undefined,
    };
    await using session = await bench.open({ parts: { pool } });
    await expect(backup(session, 'item', [disk])).rejects.toMatchObject({
      code: 'ITEM_LOCKED',
      message: expect.stringContaining('went on with the same interrupted run'),
    });
    expect((await taken)?.resumed?.bytes).toBeGreaterThan(4 * MIB);
    expect(session.vault.state.points.size).toBe(1);
    expect(Buffer.compare(await bench.restored('item'), bytes)).toBe(0);
    expect(await bench.store.list('staging')).toEqual([]);
  });
});
