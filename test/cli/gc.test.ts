import { PassThrough } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/cli/command.ts';
import { exitCodeOfError, exitCodeOfResult } from '../../src/cli/exit-code.ts';
import { parseArguments } from '../../src/cli/parse-arguments.ts';
import { Secrets } from '../../src/cli/secrets.ts';
import { createVault } from '../../src/jobs/session.ts';
import { plain } from '../report/results.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
let env: Record<string, string> = {};

beforeAll(async () => {
  const vault = folder.fresh('vault');
  const places = { cache: `${vault}.cache`, state: `${vault}.state` };
  await createVault(vault, { ...places, unencrypted: true, parts: { reserve: 4096 } });
  env = { VHDVAULT_VAULT: vault, VHDVAULT_CACHE: places.cache, VHDVAULT_STATE: places.state };
});

/** As the program does it, in this thread. */
async function run(environment: Record<string, string>, ...words: string[]): Promise<Outcome> {
  const parsed = parseArguments(words);
  if ('print' in parsed) throw new Error(parsed.print);
  const stderr = new PassThrough() as unknown as NodeJS.WriteStream;
  const { signal } = new AbortController();
  const process_ = { env: environment, cwd: folder.path, signal, stdin: process.stdin, stderr, secrets: new Secrets() };
  return await parsed.command.run(parsed.args, process_);
}

describe('gc', () => {
  test.each([
    ['--grace', '24', /--grace is no duration: "24"/, /24d are days/],
    ['--grace', 'soon', /--grace is no duration/, /24h/],
    ['--soft-delete', '1mo', /--soft-delete takes no months or years: "1mo"/, /--soft-delete 30d/],
    ['--soft-delete', '-1d', /--soft-delete is no duration/, /leave the minus out/],
  ])('with %s %s is wrong usage, told before the vault is looked for', async (option, value, message, hint) => {
    const refused = run({}, 'gc', `${option}=${value}`);
    await expect(refused).rejects.toMatchObject({ code: 'USAGE' });
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    });
  });

  test('of a vault with nothing to free ends with 0, and says so', async () => {
    for (const words of [['gc'], ['gc', '--dry-run'], ['gc', '--soft-delete', '0s', '--grace', '0s']]) {
      const { result, text } = await run(env, ...words);
      expect(exitCodeOfResult(result)).toBe(0);
      expect(text(plain)).toMatch(/^(nothing freed now, in .*|dry run: nothing would be freed now)$/);
    }
  });

  test('that is refused for damage ends with 13', () => {
    expect(exitCodeOfError('GC_BLOCKED')).toBe(13);
  });
});
