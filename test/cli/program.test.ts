import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageFacts from '../../package.json' with { type: 'json' };
import { runCli } from './run-cli.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vhdvault-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('the program', () => {
  test('alone prints its help', async () => {
    const { exitCode, stdout, stderr } = await runCli([]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('vhdvault backup <item> [disk..]');
  });

  test('tells its version', async () => {
    expect((await runCli(['--version'])).stdout).toBe(packageFacts.version);
  });

  test('on an old Node says in one line what is wrong and the cure', async () => {
    const old =
      'data:text/javascript,Object.defineProperty(process,"versions",{value:{...process.versions,node:"24.6.1"}})';
    const { exitCode, stdout, stderr } = await runCli(['points'], {}, ['--import', old]);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^vhdvault: needs Node\.js 24\.7 or newer, but this is 24\.6\.1: .+$/);
  });

  test('prints a completion script that calls it, and completes options', async () => {
    const { stdout } = await runCli(['completion'], { SHELL: '/bin/bash' });
    expect(stdout).toContain('complete -o bashdefault -o default -F _vhdvault_yargs_completions vhdvault');
    const words = await runCli(['--get-yargs-completions', 'vhdvault', 'restore', '--p']);
    expect(words.stdout.split('\n')).toContain('--preallocate');
  });
});

describe('wrong usage', () => {
  test('ends with exit code 2, the usage line and a hint on standard error', async () => {
    const { exitCode, stdout, stderr } = await runCli(['restore', 'web01']);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      'vhdvault: --to is missing [USAGE]',
      'usage: vhdvault restore REF [options]',
      '`vhdvault restore --help` tells more',
    ]);
  });

  test('is one JSON document with --json', async () => {
    const { exitCode, stdout, stderr } = await runCli(['points', '--json', '--frob=1']);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      schema: 1,
      error: {
        code: 'USAGE',
        message: 'unknown option: --frob',
        hint: '`vhdvault points --help` tells more',
        details: { usage: 'vhdvault points [ITEM] [options]' },
      },
    });
  });

  test('that a command finds itself carries the usage line, too', async () => {
    const { exitCode, stderr } = await runCli(['init', '/tmp/v', '--unencrypted', '--block-size', '1 parsec']);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('--block-size is no size: "1 parsec" [USAGE]\nusage: vhdvault init [ADDRESS] [options]\n');
  });
});

describe('secrets', () => {
  test('never appear in a message', async () => {
    const env = { VHDVAULT_PASSPHRASE: 'hunter2' };
    const { exitCode, stdout } = await runCli(['vhd', 'map', 'hunter2.vhd', '--json'], env);
    expect(exitCode).toBe(1);
    expect(stdout).not.toContain('hunter2');
    expect(JSON.parse(stdout).error.code).toBe('NOT_FOUND');
  });

  test('are named as missing, with the ways to give them, where there is no terminal to ask at', async () => {
    const { exitCode, stderr } = await runCli(['init', join(folder, 'vault')]);
    expect(exitCode).toBe(12);
    for (const way of ['--passphrase-file', 'VHDVAULT_PASSPHRASE', '--key-file', 'VHDVAULT_KEY_FILE']) {
      expect(stderr).toContain(way);
    }
  });
});

describe('images', () => {
  test('are converted and mapped; JSON is all that standard output holds', async () => {
    const raw = join(folder, 'a.raw');
    const vhd = join(folder, 'a.vhd');
    const content = new Uint8Array(4 * 1024 * 1024);
    content.fill(7, 3 * 1024 * 1024);
    await writeFile(raw, content);
    const converted = await runCli(['vhd', 'convert', raw, vhd, '--json', '--progress', 'json']);
    expect(converted.exitCode).toBe(0);
    expect(JSON.parse(converted.stdout)).toMatchObject({ schema: 1, format: 'vhd-dynamic', virtualSize: 4194304 });
    const events = converted.stderr.split('\n').map((line) => JSON.parse(line));
    expect(events.at(-1)).toMatchObject({ event: 'progress', done: 4194304, total: 4194304 });
    const mapped = await runCli(['vhd', 'map', vhd, '--json']);
    expect(JSON.parse(mapped.stdout).extents).toEqual([
      { offset: 0, length: 2097152, kind: 'zero' },
      { offset: 2097152, length: 2097152, kind: 'data' },
    ]);
  });

  test('are told to people without a word on standard error', async () => {
    const raw = join(folder, 'b.raw');
    await writeFile(raw, new Uint8Array(1024));
    const { exitCode, stdout, stderr } = await runCli(['vhd', 'info', raw]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('fileSize     1024 (1 KiB)');
  });
});
