import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, rawDisk } from '../support/vault-bench.ts';
import { type Ended, runCli } from './run-cli.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
const BLOCK = 128 * 1024;

function run(...words: string[]): Promise<Ended> {
  return runCli(words, { VHDVAULT_VAULT: at('vault'), VHDVAULT_CACHE: at('cache'), VHDVAULT_STATE: at('state') });
}

async function backup(disks: Readonly<Record<string, Uint8Array>>): Promise<string> {
  const words: string[] = [];
  for (const [name, bytes] of Object.entries(disks)) {
    await rawDisk(at(`${name}.raw`), bytes);
    words.push(`${name}=${at(`${name}.raw`)}`);
  }
  return `web01@${JSON.parse((await run('backup', 'web01', ...words, '--json')).stdout).point}`;
}

const points: string[] = [];
beforeAll(async () => {
  expect(await run('init', '--unencrypted')).toMatchObject({ exitCode: 0 });
  const os = noise(10 * BLOCK, 1);
  points.push(await backup({ os, data: os }));
  os.set(noise(2 * BLOCK, 2), 3 * BLOCK);
  points.push(await backup({ os, data: noise(10 * BLOCK, 1) }));
  points.push(await backup({ os }));
  await mkdir(at('pictures'));
}, 60_000);

const [first, second, third] = [0, 1, 2].map((n) => () => points[n]!) as [() => string, () => string, () => string];

describe('vhdvault diff', () => {
  it('tells people which disks differ, and where', async () => {
    const { exitCode, stdout, stderr } = await run('diff', first(), second());
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toMatch(/^web01@p[0-9a-f]{7} \(.*\) -> web01@p[0-9a-f]{7} \(.*\)$/m);
    expect(stdout).toMatch(/^ {2}os +1\.2 MiB +changed +256 KiB +20\.0 % +1 range +[▁-█]+$/m);
    expect(stdout).toMatch(/^ +384 KiB +393216 +256 KiB +262144$/m);
  });

  it('tells programs the same in bytes, with nothing of the picture', async () => {
    const { exitCode, stdout } = await run(
      'diff',
      first(),
      second(),
      '--disk',
      'os',
      '--json',
      '--svg',
      at('json.svg'),
    );
    expect(exitCode).toBe(0);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({ schema: 1, from: { item: 'web01' }, warnings: [], svg: at('json.svg') });
    expect(result.disks).toEqual([
      {
        ...{ name: 'os', size: 10 * BLOCK, before: { name: 'os', size: 10 * BLOCK }, blockSize: BLOCK },
        ...{ changed: [{ offset: 3 * BLOCK, length: 2 * BLOCK }], changedBytes: 2 * BLOCK },
        blocks: { total: 10, changed: 2, added: 0, removed: 0 },
        strip: expect.any(Array),
      },
    ]);
    expect(result.disks[0].strip).toHaveLength(64);
  });

  it('ends with exit code 3 and a warning where a disk is missing on one side', async () => {
    const { exitCode, stdout } = await run('diff', second(), third());
    expect(exitCode).toBe(3);
    expect(stdout).toContain('no difference');
    expect(stdout).toContain(`warning: data of ${second()} is not in ${third()}: not compared`);
  });

  it('ends with exit code 16 where there is no such point, and 2 where there is no such disk', async () => {
    expect(await run('diff', first(), 'web01@p')).toMatchObject({ exitCode: 16 });
    expect(await run('diff', 'web02', first())).toMatchObject({ exitCode: 16 });
    const none = await run('diff', first(), second(), '--disk', 'swap');
    expect(none.exitCode).toBe(2);
    expect(none.stderr).toContain('no disk swap is in both points [USAGE]');
  });
});

describe('vhdvault diff --svg', () => {
  it('writes a picture, tells where, and leaves nothing else', async () => {
    const { exitCode, stdout } = await run('diff', first(), second(), '--svg', at('pictures', 'a.svg'));
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`picture: ${at('pictures', 'a.svg')}`);
    const svg = await readFile(at('pictures', 'a.svg'), 'utf8');
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www.w3.org\/2000\/svg" [\s\S]*<\/svg>\n$/);
    expect(svg).toContain('<title id="what">What changed on web01</title>');
    expect(await readdir(at('pictures'))).toEqual(['a.svg']);
  });

  it('overwrites nothing unless it is told to', async () => {
    await writeFile(at('mine.svg'), 'mine');
    const refused = await run('diff', first(), second(), '--svg', at('mine.svg'));
    expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
    expect(refused.stderr).toContain('[TARGET_EXISTS]');
    expect(refused.stderr).toContain('--force');
    expect(await readFile(at('mine.svg'), 'utf8')).toBe('mine');
    expect(await run('diff', first(), second(), '--svg', at('mine.svg'), '--force')).toMatchObject({ exitCode: 0 });
    expect(await readFile(at('mine.svg'), 'utf8')).toMatch(/^<svg /);
  });

  it('refuses what is there, a folder, and a place that is not there, before it reads anything', async () => {
    for (const [target, code] of [
      [at('os.raw'), 'TARGET_EXISTS'],
      [at('pictures'), 'TARGET_UNUSABLE'],
      [at('nowhere', 'a.svg'), 'NOT_FOUND'],
    ] as const) {
      const { exitCode, stderr } = await run('diff', 'no-such-item', second(), '--svg', target);
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`[${code}]`);
    }
  });
});
