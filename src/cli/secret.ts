import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ioError, VhdvaultError } from '../base/errors.ts';
import type { Secret } from '../jobs/types.ts';
import { askPassphrases } from './ask-passphrases.ts';
import type { Run } from './command.ts';

const WAYS =
  'name a file that holds it with --passphrase-file or VHDVAULT_PASSPHRASE_FILE, or set VHDVAULT_PASSPHRASE, or name a key file with --key-file or VHDVAULT_KEY_FILE; at a terminal it is asked for';

/** Variables that name a secret. */
export const SECRETS = ['VHDVAULT_PASSPHRASE_FILE', 'VHDVAULT_PASSPHRASE', 'VHDVAULT_KEY_FILE'] as const;

export interface SecretArguments {
  'passphrase-file'?: string | undefined;
  'key-file'?: string | undefined;
}

/** The secret that options or the environment name, in this order, or undefined. */
export async function findSecret(args: SecretArguments, run: Run): Promise<Secret | undefined> {
  const { env } = run;
  if (args['passphrase-file'] !== undefined && args['key-file'] !== undefined) {
    throw new VhdvaultError('USAGE', '--passphrase-file and --key-file exclude each other', {
      hint: 'give one of them',
    });
  }
  if (args['passphrase-file'] !== undefined) return passphraseFrom(args['passphrase-file'], run);
  if (args['key-file'] !== undefined) return { keyFile: resolve(run.cwd, args['key-file']) };
  if (env.VHDVAULT_PASSPHRASE_FILE) return passphraseFrom(env.VHDVAULT_PASSPHRASE_FILE, run);
  if (env.VHDVAULT_PASSPHRASE) return { passphrase: env.VHDVAULT_PASSPHRASE };
  if (env.VHDVAULT_KEY_FILE) return { keyFile: resolve(run.cwd, env.VHDVAULT_KEY_FILE) };
  return undefined;
}

/** Asks at a terminal. @throws VAULT_KEY_MISSING where there is none */
export async function askSecret(run: Run, twice: boolean): Promise<Secret> {
  if (!run.stdin.isTTY || !run.stderr.isTTY) throw keyMissing('no passphrase or key file was given');
  const answers = await askPassphrases(run, twice ? ['new passphrase: ', 'again: '] : ['passphrase: ']);
  const passphrase = answers[0]!;
  for (const answer of answers) run.secrets.keep(answer);
  if (passphrase === '') throw keyMissing('the passphrase is empty');
  if (answers.some((answer) => answer !== passphrase)) {
    throw new VhdvaultError('VAULT_KEY_MISSING', 'the two passphrases differ', { hint: 'run the command again' });
  }
  return { passphrase };
}

/** The file's one trailing newline is an editor's, not the passphrase's. */
export async function passphraseFrom(path: string, run: Run, ways: string = WAYS): Promise<Secret> {
  const file = resolve(run.cwd, path);
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw ioError(error, 'reading the passphrase file', file);
  });
  const passphrase = text.replace(/\r?\n$/, '');
  if (passphrase === '') throw keyMissing(`the passphrase file ${file} is empty`, ways);
  run.secrets.keep(passphrase);
  return { passphrase };
}

function keyMissing(message: string, ways: string = WAYS): VhdvaultError {
  return new VhdvaultError('VAULT_KEY_MISSING', message, { hint: ways });
}
