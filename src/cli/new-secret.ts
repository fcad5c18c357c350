import { resolve } from 'node:path';
import { VhdvaultError } from '../base/errors.ts';
import type { Secret } from '../jobs/types.ts';
import type { Run } from './command.ts';
import { askSecret, passphraseFrom } from './secret.ts';

const WAYS =
  'name a file that holds it with --new-passphrase-file, or a key file with --new-key-file; at a terminal a passphrase is asked for';

/** Of commands that make a key slot. */
export const newSecretOptions = {
  'new-passphrase-file': {
    type: 'string',
    requiresArg: true,
    describe: 'A file that holds the new passphrase; at a terminal it is asked for',
  },
  'new-key-file': {
    type: 'string',
    requiresArg: true,
    describe: 'A new key file: 32 bytes or more that nobody can guess',
  },
  label: {
    type: 'string',
    requiresArg: true,
    describe: 'What you call it: whose it is, where it lies',
  },
} as const;

export interface NewSecretArguments {
  'new-passphrase-file'?: string | undefined;
  'new-key-file'?: string | undefined;
}

/**
 * Where the new secret comes from, before anything else is done: `ask` is called when the vault is open.
 * @throws USAGE, VAULT_KEY_MISSING where there is none and no terminal to ask at
 */
export async function newSecretOf(args: NewSecretArguments, run: Run): Promise<() => Promise<Secret>> {
  const { 'new-passphrase-file': passphraseFile, 'new-key-file': keyFile } = args;
  if (passphraseFile !== undefined && keyFile !== undefined) {
    throw new VhdvaultError('USAGE', '--new-passphrase-file and --new-key-file exclude each other', {
      hint: 'give one of them',
    });
  }
  if (keyFile !== undefined) return async () => ({ keyFile: resolve(run.cwd, keyFile) });
  if (passphraseFile !== undefined) {
    const secret = await passphraseFrom(passphraseFile, run, WAYS);
    return async () => secret;
  }
  if (run.stdin.isTTY && run.stderr.isTTY) return () => askSecret(run, true);
  throw new VhdvaultError('VAULT_KEY_MISSING', 'no new passphrase or key file was given', { hint: WAYS });
}
