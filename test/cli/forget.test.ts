import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/cli/command.ts';
import { exitCodeOfError, exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';
import { Secrets } from '../../src/cli/secrets.ts';
import { createVault, openVault } from '../../src/jobs/session.ts';
import { plain } from '../report/results.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { manifestOf } from '../support/timed-vault.ts';

const folder = tempFolder({ inMemory: true });
let env: Record<string, string> = {};

/** As the program does it, in this thread. */
async function run(...words: string[]): Promise<Outcome> {
  const parsed = parseArguments(words);
  if ('print' in parsed) throw new Error(parsed.print);
  const stderr = new PassThrough() as unknown as NodeJS.WriteStream;
  const { stdin } = process;
  const { signal } = new AbortController();
  return await parsed.command.run(parsed.args, {
    env,
    cwd: folder.path,
    signal,
    stdin,
    stderr,
    secrets: new Secrets(),
  });
}

/** Of a vault with these points of web01, oldest first. */
async function newVault(...ids: string[]): Promise<void> {
  const vault = folder.fresh('vault');
  const places = { cache: `${vault}.cache`, state: `${vault}.state` };
  await createVault(vault, { ...places, unencrypted: true, parts: { reserve: 0 } });
  env = { VHDVAULT_VAULT: vault, VHDVAULT_CACHE: places.cache, VHDVAULT_STATE: places.state };
  await using session = await openVault(vault, places);
  for (const id of ids) {
    const manifest = manifestOf('web01');
    await session.vault.commit(() => ({ type: 'point', point: id.repeat(8), adds: [], manifest }));
  }
}

describe('forget', () => {
  beforeAll(() => newVault('11', '22', '33'));

  const HELP = /--keep-(last|daily) 7/;
  test.each([
    ['nothing', [], /neither points nor rules/, HELP],
    ['an item for a point', ['web01'], /"web01" names no point, only an item/, /web01@pID/],
    ['a point for an item', ['web01@p1', '--keep-last', '1'], /p1 names a point, and keep rules/, /as web01,/],
    ['a count below 0', ['--keep-last', '-1'], /--keep-last is no whole number: "-1"/, HELP],
    ['half a point', ['--keep-daily', '1.5'], /--keep-daily is no whole number: "1.5"/, HELP],
    ['only a rule of 0', ['--keep-last', '0', '--keep-within', '0d'], /none keeps anything/, HELP],
    ['no duration', ['--keep-within', '30'], /--keep-within is no duration: "30"/, /30d are days/],
    ['no zone', ['--keep-last', '1', '--zone', 'Berlin'], /unknown time zone/, /did you mean Europe\/Berlin/],
    ['a zone for points', ['web01@p1', '--zone', 'UTC'], /--zone goes with keep rules/, HELP],
    ['a span of gc alone', ['--keep-last', '1', '--grace', '0s'], /--grace goes with --gc/, /add --gc/],
    [
      'half a span of gc',
      ['--keep-last', '1', '--gc', '--soft-delete', '14'],
      /--soft-delete is no dur/,
      /14d are days/,
    ],
    ['force for rules', ['--keep-last', '1', '--force'], /--force goes with points/, /leave it out/],
  ] as const)('with %s is wrong usage, told before the vault is looked for', async (_, words, message, hint) => {
    const { VHDVAULT_VAULT: _vault, ...rest } = env;
    const before = env;
    env = rest;
    const wrong = expect.objectContaining({ code: 'USAGE' });
    const refused = await run('forget', ...words).catch(
      (error: { code: 'USAGE'; message: string; hint: string }) => error,
    );
    env = before;
    expect(refused).toEqual(wrong);
    expect(refused).toMatchObject({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) });
  });

  test('of an item that is no name tells so', async () => {
    await expect(run('forget', 'a b', '--keep-last', '1')).rejects.toMatchObject({ code: 'ITEM_NAME' });
  });

  test('in a dry run, then really, then back', async () => {
    const dry = await run('forget', 'web01', '--keep-last', '1', '--keep-monthly', '0', '--zone', 'utc', '--dry-run');
    expect(dry.result).toMatchObject({ dryRun: true, forgotten: [{}, {}], kept: [{ reasons: ['latest', 'last 1'] }] });
    expect(dry.text(plain)).toMatch(/ time \(utc\) /);
    expect(dry.text(plain)).toMatch(/^dry run: 2 points would be forgotten, 1 kept$/m);
    const done = await run('forget', '--keep-last', '1');
    expect(exitCodeOfResult(done.result)).toBe(0);
    expect(done.result).toMatchObject({ dryRun: false, forgotten: [{ point: `p${'11'.repeat(8)}` }, {}] });
    const listed = await run('points', '--forgotten');
    expect(listed.result).toMatchObject({ points: [{ expires: expect.any(String) }, {}] });
    expect((await run('unforget', 'web01@p11', 'web01@p22')).result).toMatchObject({ unforgotten: [{}, {}] });
    expect((await run('points', '--forgotten')).text(plain)).toBe('no forgotten points');
  });

  test('of the latest point needs --force', async () => {
    const refused = run('forget', 'web01@latest');
    await expect(refused).rejects.toMatchObject({ code: 'LATEST_POINT', hint: expect.stringContaining('--force') });
    expect((await run('forget', 'web01@latest', '--force')).result).toMatchObject({ forgotten: [{}], kept: [] });
    await run('unforget', 'web01');
  });
});

describe('pin, unpin and protect', () => {
  beforeAll(() => newVault('11', '22'));

  test('keep points from being forgotten', async () => {
    expect((await run('pin', 'web01@p11', '--until', '2999-12-31T12:00Z')).result).toMatchObject({
      pinned: '2999-12-31T12:00:59.999Z',
    });
    await expect(run('forget', 'web01@p11')).rejects.toMatchObject({ code: 'POINT_PINNED' });
    expect((await run('unpin', 'web01@p11')).result).toMatchObject({ pinned: null });
    expect((await run('protect')).result).toMatchObject({ minRetention: 0, protected: 0 });
    expect((await run('protect', '--min-retention', '30d')).result).toMatchObject({
      minRetention: 2_592_000,
      protected: 2,
    });
    await expect(run('forget', 'web01@p11')).rejects.toMatchObject({ code: 'POINT_PROTECTED' });
    await expect(run('protect', '--min-retention', '29d')).rejects.toMatchObject({ code: 'MIN_RETENTION' });
    for (const code of ['POINT_PINNED', 'POINT_PROTECTED', 'LATEST_POINT', 'MIN_RETENTION', 'CLOCK_DOUBTED'] as const)
      expect(exitCodeOfError(code)).toBe(1);
  });

  test.each([
    [['pin', 'web01', '--until', 'soon'], /--until is no time: "soon"/],
    [['pin', 'web01', '--until', '2001-01-01'], /--until 2001-01-01 is not in the future/],
    [['protect', '--min-retention', '1y'], /--min-retention is counted in days/],
    [['protect', '--min-retention', '30'], /--min-retention is no duration/],
  ])('%j is wrong usage', async (words, message) => {
    await expect(run(...words)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringMatching(message) });
  });
});
