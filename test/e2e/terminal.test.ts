import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BIN, type Ended, runCli } from '../cli/run-cli.ts';
import { writeBase, writeChild } from '../image/child-image.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';

const temp = tempFolder({ inMemory: true });
const at = (...names: string[]): string => join(temp.path, ...names);
let env: Record<string, string> = {};
const run = (...words: string[]): Promise<Ended> => runCli(words, env);

/** Sets the title, clears the screen, asks for an answer, goes back over the line, turns the writing round, and one of C1. */
const HOSTILE = '\x1b]0;owned\x07\x1b[2J\x1b[6n\r\b\u202e\u009b2J';
/** Letters, digits, signs, spaces and line breaks only. */
const TEXT = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\n]*$/u;

/** What was printed tells what was given, and a terminal obeys nothing of it. */
function expectHarmless({ stdout, stderr }: Ended, told: RegExp): void {
  expect(stdout).toMatch(TEXT);
  expect(stderr).toMatch(TEXT);
  expect(stdout + stderr).toMatch(told);
}

beforeAll(async () => {
  env = await programHome(temp.path);
  await writeFile(at('disk.raw'), Buffer.alloc(65_536, 'disk'));
  expect(await run('init')).toMatchObject({ exitCode: 0 });
  const words = ['--note', `note ${HOSTILE}\nvhdvault: all is well`, '--tag', `tag${HOSTILE}`];
  expect(await run('backup', 'web01', at('disk.raw'), ...words)).toMatchObject({ exitCode: 0 });
});

describe('what strangers write', () => {
  it('into the name of a file is told in errors as signs, in one line', async () => {
    const ended = await run('vhd', 'info', at(`${HOSTILE}\nvhdvault: all is well`));
    expect(ended).toMatchObject({ exitCode: 1 });
    expectHarmless(ended, /^vhdvault: .*␛\]0;owned␇␛\[2J.*␊vhdvault: all is well.* \[NOT_FOUND\]$/m);
  });

  it('into the header of an image is shown as signs', async () => {
    await writeBase(at('base.vhd'), 1);
    await writeChild(at('child.vhd'), { locators: [['W2ru', '.\\base.vhd']], name: `C:\\${HOSTILE}\\base.vhd` });
    const ended = await run('vhd', 'info', at('child.vhd'));
    expect(ended).toMatchObject({ exitCode: 0 });
    expectHarmless(ended, /^ +parentName +C:\\␛\]0;owned␇/m);
    await writeChild(at('orphan.vhd'), { locators: [['W2ru', `.\\${HOSTILE}gone.vhd`]], name: HOSTILE });
    expectHarmless(await run('backup', 'other', at('orphan.vhd')), /␛\]0;owned␇.* \[VHD_PARENT_MISSING\]$/m);
  });

  it('into notes and tags is shown as signs, in one line each', async () => {
    expectHarmless(await run('show', 'web01'), /^ +note +note ␛\]0;owned␇.*␊vhdvault: all is well$/m);
    expectHarmless(await run('points'), /tag␛\]0;owned␇␛\[2J␛\[6n␍␈/);
  });

  it('to us from a hook is shown as text, in the warning and with the point', async () => {
    const hook = String.raw`printf '\033]0;owned\007\r\033[2J\bnot frozen\033[6n'; exit 3`;
    const ended = await run('backup', 'hooked', at('disk.raw'), '--pre', hook);
    expect(ended).toMatchObject({ exitCode: 3 });
    expectHarmless(ended, /^warning: --pre failed with exit code 3: .*not frozen/m);
    expectHarmless(await run('show', 'hooked'), /not frozen/);
  });

  it('reaches programs as it is, escaped', async () => {
    const { stdout } = await run('show', 'web01', '--json');
    expect(stdout).toMatch(TEXT);
    expect(JSON.parse(stdout).point).toMatchObject({
      note: `note ${HOSTILE}\nvhdvault: all is well`,
      tags: [`tag${HOSTILE}`],
    });
  });
});

const SCRIPT = 'script';
describeWithTool(SCRIPT, 'a terminal', () => {
  /** What the program writes to one. */
  function onTerminal(words: readonly string[], more: Record<string, string> = {}): string {
    const command = [process.execPath, BIN, ...words].map((word) => `'${word}'`).join(' ');
    const { VHDVAULT_PASSPHRASE: _, NO_COLOR: __, ...clean } = process.env;
    return execFileSync(SCRIPT, ['--quiet', '--return', '--command', command, '/dev/null'], {
      env: { ...clean, TERM: 'xterm', ...env, ...more },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).replaceAll('\r\n', '\n');
  }

  const words = ['show', 'web01', '--progress', 'none'];

  it('gets our colours, and no other sequence', () => {
    const shown = onTerminal(words);
    expect(shown).toContain('\x1b[1mweb01@p');
    expect(shown).toContain('note ␛]0;owned␇␛[2J␛[6n␍␈\ufffd\ufffd2J␊vhdvault');
    expect(shown.replaceAll('\x1b[1m', '').replaceAll('\x1b[22m', '')).toMatch(TEXT);
  });

  it('gets none with NO_COLOR', () => {
    expect(onTerminal(words, { NO_COLOR: '1' })).toMatch(TEXT);
  });
});
