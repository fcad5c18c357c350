import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { type Ended, runCli } from './run-cli.ts';

const folder = tempFolder();
const BLOCK = 128 * 1024;
let env: Record<string, string>;

async function run(...words: string[]): Promise<Ended> {
  const ended = await runCli([...words, '--threads', '1'], env);
  expect(ended).toMatchObject({ exitCode: 0, stderr: '' });
  return ended;
}

beforeAll(async () => {
  env = {
    VHDVAULT_VAULT: join(folder.path, 'vault'),
    VHDVAULT_CACHE: join(folder.path, 'cache'),
    VHDVAULT_STATE: join(folder.path, 'state'),
  };
  await mkdir(folder.path, { recursive: true });
  await run('init', '--unencrypted', '--compression', 'none');
  const disk = join(folder.path, 'os.raw');
  const bytes = noise(1, 8 * BLOCK);
  await writeFile(disk, bytes);
  await run('backup', 'web01', disk, '--tag', 'monthly', '--tag', 'keep', '--note', 'before the update');
  await writeFile(disk, Buffer.concat([bytes.subarray(0, 5 * BLOCK), noise(2, 3 * BLOCK)]));
  await run('backup', 'web01', '--tag', 'keep');
});

describe('show', () => {
  test('tells in JSON what only the point holds and what it shares', async () => {
    const { point } = JSON.parse((await run('show', 'web01', '--json')).stdout);
    // The map of so small a disk is one page at each of four levels.
    expect(point).toMatchObject({
      unique: { bytes: 3 * (BLOCK + 16) + 4 * (8192 + 16), blocks: 3, pages: 4 },
      shared: { bytes: 5 * (BLOCK + 16), blocks: 5, pages: 0 },
      hooks: { outcome: 'none', output: '' },
      ...{ tags: ['keep'], note: '' },
    });
  });

  test('tells it to people in two lines', async () => {
    const { stdout } = await run('show', 'web01');
    expect(stdout).toMatch(/\n {2}unique +416.1 KiB in 3 blocks and 4 map pages\n {2}shared +640 KiB in 5 blocks /);
  });
});

describe('stats', () => {
  test('are one JSON document', async () => {
    const { schema, stats, warnings } = JSON.parse((await run('stats', '--json', '--progress', 'none')).stdout);
    expect({ schema, warnings }).toEqual({ schema: 1, warnings: [] });
    expect(stats).toMatchObject({
      ...{ vault: env.VHDVAULT_VAULT, items: 1, points: 2, virtualBytes: 16 * BLOCK, fullBytes: 16 * BLOCK },
      ...{ uniqueBytes: 11 * BLOCK, free: expect.any(Number) },
      saved: { byDedup: 16 / 11 },
      byItem: [{ item: 'web01', points: 2, virtualSize: 8 * BLOCK, fullBytes: 16 * BLOCK }],
    });
    expect(stats.growth).toHaveLength(2);
  });

  test('are aligned rows for people, with a bar for each item', async () => {
    const lines = (await run('stats')).stdout.split('\n');
    expect(lines[0]).toMatch(/^\/.+\/vault {2}2 points of 1 item since \d{4}-\d\d-\d\d \d\d:\d\d, \d+ log entries$/);
    expect(lines[3]).toMatch(/^ {2}unique +1.3 MiB {2}equal blocks once: 1.5 times less$/);
    expect(lines).toContainEqual(expect.stringMatching(/^web01 {7}2 {2}1 MiB {2}2 MiB {2}1.4 MiB {2}█{16}$/));
  });
});

describe('points', () => {
  test.each([
    [['keep'], 2],
    [['monthly'], 1],
    [['monthly', 'keep'], 1],
    [['keep', 'weekly'], 0],
  ])('with the tags %j are those that have all of them', async (tags, count) => {
    const words = tags.flatMap((tag) => ['--tag', tag]);
    const { points } = JSON.parse((await run('points', 'web01', ...words, '--json')).stdout);
    expect(points).toHaveLength(count);
    if (tags.includes('monthly') && count > 0)
      expect(points[0]).toMatchObject({ tags: ['monthly', 'keep'], note: 'before the update' });
  });
});
