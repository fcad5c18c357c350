import { readFile, stat } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../base/errors.ts';
import type { SecretBytes } from '../vault/vault.ts';
import type { Secret } from './types.ts';

/** What opens a vault: one of the two. */
export interface SecretOptions {
  /** A passphrase. */
  passphrase?: string | undefined;
  /** Path of a key file: at least 32 bytes that nobody can guess. */
  keyFile?: string | undefined;
}

/** @throws USAGE when both are given */
export function secretOf({ passphrase, keyFile }: SecretOptions): Secret | undefined {
  if (passphrase !== undefined && keyFile !== undefined) {
    throw new VhdvaultError('USAGE', 'a passphrase and a key file were given, and one of them opens the vault', {
      hint: 'leave one of them out',
    });
  }
  if (passphrase !== undefined) return { passphrase };
  return keyFile === undefined ? undefined : { keyFile };
}

/** @throws NOT_FOUND, NO_PERMISSION, IO, VAULT_KEY_REFUSED for a file that is too long to be a key */
export async function readSecret(secret: Secret): Promise<SecretBytes> {
  if ('passphrase' in secret) return secret;
  const found = await stat(secret.keyFile).catch(failed('reading the key file', secret.keyFile));
  if (found.size > 1024 * 1024) {
    throw new VhdvaultError('VAULT_KEY_REFUSED', `${secret.keyFile} has ${found.size} bytes, too many for a key file`, {
      hint: 'make one with: head -c 32 /dev/urandom > KEYFILE; chmod 600 KEYFILE',
    });
  }
  return { keyFile: await readFile(secret.keyFile).catch(failed('reading the key file', secret.keyFile)) };
}

function failed(doing: string, path: string): (error: unknown) => never {
  return (error) => {
    throw ioError(error, doing, path);
  };
}
