import { readdir } from 'node:fs/promises';
import { expect } from 'vitest';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { OF_EVERY_RUN } from './program-home.ts';

/** A row: what is typed, what it must end with, and what must be told: the fact, and in the hint the cure. */
export interface BadRow {
  title: string;
  words: () => string[];
  is: readonly [exit: number, code: string];
  tells: RegExp;
  cure: RegExp;
  env?: Record<string, string>;
}

interface Answer {
  schema: number;
  error: { code: string; message: string; hint: string; details: Record<string, unknown> };
}

type Reader = 'person' | 'program';

/** Runs what is typed as a person and as a program, and checks that both are told and nothing in `home` is written. */
export async function expectTold(
  row: BadRow,
  home: string,
  env: Readonly<Record<string, string>>,
  readers: readonly Reader[] = ['person', 'program'],
): Promise<void> {
  const before = await treeOf(home);
  const settings = { ...env, ...row.env };
  // One after the other: two runs on one item would meet its lock.
  for (const reader of readers) {
    if (reader === 'person') expectText(await runCli(row.words(), settings), row);
    else expectJson(await runCli([...row.words(), '--json'], settings), row);
  }
  expect(await treeOf(home)).toEqual(before);
}

/** Text as a person reads it: code, fact and cure, nothing of our insides, nothing that a terminal would obey. */
export function expectText({ exitCode, stdout, stderr }: Ended, { is: [exit, code], tells, cure }: BadRow): void {
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: exit, stdout: '' });
  const [fact = '', ...rest] = stderr.split('\n').filter((line) => !line.startsWith('note: '));
  expect(fact).toMatch(/^vhdvault: /);
  expect(fact).toContain(`[${code}]`);
  expect(fact).toMatch(tells);
  expect(rest.join('\n')).toMatch(cure);
  expect(stderr).not.toMatch(/\n\s+at |undefined|\[object|NaN|node:|VHDVAULT_PASSPHRASE=|dmesg/);
  expect(stderr).not.toMatch(/[^\P{C}\n]/u);
}

/** The same as a program reads it: one document, of the same exit code. */
export function expectJson({ exitCode, stdout, stderr }: Ended, { is: [exit, code], tells, cure }: BadRow): void {
  expect({ exitCode }, stdout + stderr).toEqual({ exitCode: exit });
  const { schema, error } = JSON.parse(stdout) as Answer;
  expect({ schema, code: error.code }).toEqual({ schema: 1, code });
  expect(error.message).toMatch(tells);
  expect(error.hint).toMatch(cure);
  expect(error.details).toBeTypeOf('object');
}

async function treeOf(folder: string): Promise<string[]> {
  const all = await readdir(folder, { recursive: true });
  return all.filter((path) => !OF_EVERY_RUN.test(path)).sort();
}
