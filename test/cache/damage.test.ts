import { copyFile, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { countChanges } from '../support/disk-program.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

interface Scene {
  bench: VaultBench;
  path: string;
  before: Uint8Array;
  after: Uint8Array;
  /** Folder of the cache of this vault. */
  cache: string;
}

/** A vault with a point of a disk of 600 blocks (three leaf pages), which has changed since. */
async function scene(): Promise<Scene> {
  const bench = await openBench(folder.fresh('cache'));
  await mkdir(bench.folder, { recursive: true });
  const before = new Uint8Array(600 * BLOCK);
  for (let n = 0; n < 600; n += 3) before.set(text(BLOCK, n), n * BLOCK);
  const after = Uint8Array.from(before);
  after.set(noise(2 * BLOCK, 1), 100 * BLOCK);
  after.fill(0, 300 * BLOCK, 310 * BLOCK);
  after.set(text(BLOCK, 9999), 599 * BLOCK);
  const path = join(bench.folder, 'disk.raw');
  await bench.backup('item', [await rawDisk(path, before)]);
  await rawDisk(path, after);
  const [vault] = await readdir(bench.cache);
  return { bench, path, before, after, cache: join(bench.cache, vault!) };
}

async function tableOf({ cache }: Scene): Promise<string> {
  const tables = await readdir(join(cache, 'tables'));
  expect(tables).toHaveLength(1);
  return join(cache, 'tables', tables[0]!);
}

/** Damages something of the cache, then backs up and restores: the result must be right, whatever the cache said. */
async function rightAfter(scene: Scene): Promise<string> {
  const { bench, before, after } = scene;
  const result = await bench.backup('item', []);
  const changes = countChanges(before, after, BLOCK);
  expect(result.type).toBe('incremental');
  expect(result.warnings).toEqual([]);
  expect(result.disks[0]?.blocks).toMatchObject({ changed: changes.blocks, total: 600 });
  expect(Buffer.compare(await bench.restored(`item@${result.point}`), after)).toBe(0);
  expect((await bench.verify(true)).findings).toEqual([]);
  const again = await bench.backup('item', []);
  expect(again.disks[0]?.blocks).toMatchObject({ changed: 0, stored: 0 });
  expect(again.reason).toContain('by the checksum table');
  return result.reason;
}

const BY_TABLE = 'by the checksum table';
const BY_VAULT = 'the map in the vault';

describe('an incremental backup', () => {
  it('uses the checksum table where there is a good one', async () => {
    expect(await rightAfter(await scene())).toContain(BY_TABLE);
  });

  it('is right, and says so, without the checksum table', async () => {
    const here = await scene();
    await rm(await tableOf(here));
    expect(await rightAfter(here)).toContain(BY_VAULT);
  });

  it.each([0, 100, 4096, 8192, 12288, 4096 + 3 * 8192, 4096 + 4 * 8192 + 17, 4096 + 5 * 8192])(
    'is right, and says so, with a checksum table cut to %i bytes',
    async (length) => {
      const here = await scene();
      await truncate(await tableOf(here), length);
      expect(await rightAfter(here)).toContain(BY_VAULT);
    },
  );

  it.each([0, 1, 2, 3, 4, 5])(
    'is right, and says so, with a flipped bit in page %i of the checksum table',
    async (page) => {
      const here = await scene();
      const table = await tableOf(here);
      const bytes = await readFile(table);
      bytes[4096 + page * 8192 + 40]! ^= 4;
      await writeFile(table, bytes);
      expect(await rightAfter(here)).toContain(BY_VAULT);
    },
  );

  it("is right, and says so, with another disk's checksum table", async () => {
    const here = await scene();
    const { bench } = here;
    const own = await tableOf(here);
    await bench.backup('other', [await rawDisk(join(bench.folder, 'other.raw'), noise(600 * BLOCK, 8))]);
    const foreign = (await readdir(join(here.cache, 'tables'))).map((name) => join(here.cache, 'tables', name));
    await copyFile(foreign.find((path) => path !== own)!, own);
    expect(await rightAfter({ ...here })).toContain(BY_VAULT);
  });

  it('is right with the checksum table of an older point', async () => {
    const here = await scene();
    const table = await tableOf(here);
    await copyFile(table, `${here.path}.table`);
    const { bench, before, after, path } = here;
    await bench.backup('item', []);
    await rm(table);
    await copyFile(`${here.path}.table`, table);
    await rawDisk(path, before);
    expect(await rightAfter({ ...here, before: after, after: before })).toContain(BY_VAULT);
  });
});

describe('the local index', () => {
  const damages: [string, string, (file: string) => Promise<void>][] = [
    ['was deleted', 'there was none', (file) => rm(file)],
    ['was emptied', 'there was none', (file) => truncate(file, 0)],
    ['was cut to one page', 'malformed', (file) => truncate(file, 4096)],
    ['was cut in the middle of a page', 'malformed', (file) => truncate(file, 10_000)],
    ['is garbage', 'not a database', async (file) => writeFile(file, noise(50_000, 3))],
    ['is a text', 'not a database', (file) => writeFile(file, 'index')],
    [
      'is a folder',
      'unable to open',
      async (file) => {
        await rm(file);
        await mkdir(join(file, 'x'), { recursive: true });
      },
    ],
  ];

  it.each(damages)('that %s costs time and nothing else, and the reason tells: %s', async (_, told, damage) => {
    const here = await scene();
    await damage(join(here.cache, 'index.sqlite'));
    for (const ending of ['-wal', '-shm']) await rm(join(here.cache, `index.sqlite${ending}`), { force: true });
    expect(await rightAfter(here)).toMatch(new RegExp(`; the local index was rebuilt \\(.*${told}`));
  });

  it('that lost its last page costs time and nothing else', async () => {
    const here = await scene();
    const file = join(here.cache, 'index.sqlite');
    await truncate(file, (await readFile(file)).byteLength - 4096);
    for (const ending of ['-wal', '-shm']) await rm(file + ending, { force: true });
    await rightAfter(here);
  });

  it('with any page damaged costs time and nothing else', async () => {
    const here = await scene();
    const file = join(here.cache, 'index.sqlite');
    const { bench, before } = here;
    const good = await readFile(file);
    for (let at = 0; at < good.byteLength; at += 1531) {
      const bytes = Buffer.from(good);
      bytes[at]! ^= 1 << (at % 8);
      await writeFile(file, bytes);
      for (const ending of ['-wal', '-shm']) await rm(file + ending, { force: true });
      expect(Buffer.compare(await bench.restored('item'), before), `flip at ${at}`).toBe(0);
    }
    await rightAfter(here);
  });

  it('with a damaged page does not let a new point refer to blocks that are not there', async () => {
    const here = await scene();
    const { bench } = here;
    const file = join(here.cache, 'index.sqlite');
    const good = await readFile(file);
    for (let at = 700; at < good.byteLength; at += 4096) {
      const bytes = Buffer.from(good);
      bytes.fill(0xff, at, at + 300);
      await writeFile(file, bytes);
      for (const ending of ['-wal', '-shm']) await rm(file + ending, { force: true });
      const full = await bench.backup('item', [], { type: 'full' });
      expect(Buffer.compare(await bench.restored(`item@${full.point}`), here.after), `page at ${at}`).toBe(0);
    }
    expect((await bench.verify(true)).findings).toEqual([]);
  });

  it('of another vault is thrown away', async () => {
    const [here, other] = [await scene(), await scene()];
    await copyFile(join(other.cache, 'index.sqlite'), join(here.cache, 'index.sqlite'));
    expect(await rightAfter(here)).toContain('it is of another vault');
  });

  it('that knows more than a vault that was put back does not let blocks be left out', async () => {
    const bench = await openBench(folder.fresh('cache'), { where: 'folder' });
    const path = join(bench.folder, 'disk.raw');
    const first = noise(20 * BLOCK, 1);
    const second = noise(20 * BLOCK, 2);
    await bench.backup('item', [await rawDisk(path, first)]);
    await cp(bench.address, `${bench.address}.old`, { recursive: true });
    await bench.backup('item', [await rawDisk(path, second)]);
    await rm(bench.address, { recursive: true });
    await cp(`${bench.address}.old`, bench.address, { recursive: true });
    await using session = await bench.open({ acceptRollback: true });
    const { point, reason } = await backup(session, 'item', []);
    expect(reason).toContain('the local index was rebuilt (the log has another history)');
    expect(Buffer.compare(await bench.restored(`item@${point}`), second)).toBe(0);
    expect((await bench.verify(true)).ok).toBe(true);
  });
});
