import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Run } from '../../src/cli/command.ts';
import { newSecretOf } from '../../src/cli/new-secret.ts';
import { Secrets } from '../../src/cli/secrets.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const runOf = (): Run => ({
  ...{ env: {}, cwd: temp.path, signal: new AbortController().signal, secrets: new Secrets() },
  // No terminals.
  ...{ stdin: process.stdin, stderr: Object.create(process.stderr, { isTTY: { value: false } }) as NodeJS.WriteStream },
});

describe('a new secret', () => {
  it('is read from its file, without the trailing newline, and never printed', async () => {
    await writeFile(`${temp.path}/new`, 'tr0ub4dor\n');
    const run = runOf();
    expect(await (await newSecretOf({ 'new-passphrase-file': 'new' }, run))()).toEqual({ passphrase: 'tr0ub4dor' });
    expect(run.secrets.redact('it is tr0ub4dor')).toBe('it is ***');
  });

  it('is a key file by its absolute path', async () => {
    expect(await (await newSecretOf({ 'new-key-file': 'key' }, runOf()))()).toEqual({ keyFile: `${temp.path}/key` });
  });

  it('that is given twice is wrong usage', async () => {
    const both = newSecretOf({ 'new-key-file': 'key', 'new-passphrase-file': 'new' }, runOf());
    await expect(both).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('that nobody gives, or an empty one, is told with the ways to give one', async () => {
    await writeFile(`${temp.path}/empty`, '\n');
    const ways = {
      code: 'VAULT_KEY_MISSING',
      hint: expect.stringMatching(/--new-passphrase-file.*--new-key-file.*terminal/),
    };
    await expect(newSecretOf({}, runOf())).rejects.toMatchObject(ways);
    await expect(newSecretOf({ 'new-passphrase-file': 'empty' }, runOf())).rejects.toMatchObject(ways);
    await expect(newSecretOf({ 'new-passphrase-file': 'gone' }, runOf())).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
