import { resolve } from 'node:path';
import { isError, VhdvaultError } from '../base/errors.ts';
import type { SessionOptions, VaultSession } from '../jobs/session.ts';
import type { Run } from './command.ts';
import { parseCount } from './parse-value.ts';
import { askSecret, findSecret, type SecretArguments } from './secret.ts';

export interface VaultArguments extends SecretArguments {
  vault?: string | undefined;
  cache?: string | undefined;
  threads?: string | undefined;
  'accept-rollback'?: boolean | undefined;
  staging?: string | undefined;
}

/**
 * Opens the vault that the arguments or the environment name. A passphrase is asked for only after the vault has said
 * that it needs one.
 */
export async function openSession(
  args: VaultArguments,
  run: Run,
  { onNotice, meanwhile }: Required<Pick<SessionOptions, 'onNotice' | 'meanwhile'>>,
): Promise<VaultSession> {
  const address = vaultAddress(args.vault, run);
  const options = { ...sessionOptions(args, run, onNotice), meanwhile };
  const secret = await findSecret(args, run);
  const { openVault } = await import('../jobs/session.ts');
  try {
    return await openVault(address, { ...options, ...secret });
  } catch (error) {
    if (secret !== undefined || !isError(error, 'VAULT_KEY_MISSING')) throw error;
    return openVault(address, { ...options, ...(await askSecret(run, false)) });
  }
}

/** Absolute, unless it is a URL. */
export function vaultAddress(given: string | undefined, run: Run): string {
  const address = given ?? run.env.VHDVAULT_VAULT;
  if (!address) {
    throw new VhdvaultError('USAGE', 'no vault was named', { hint: 'give --vault FOLDER or set VHDVAULT_VAULT' });
  }
  return /^[a-z][a-z0-9+.-]+:\/\//i.test(address) ? address : resolve(run.cwd, address);
}

/** Everything but the secret. */
export function sessionOptions(args: VaultArguments, run: Run, onNotice: (text: string) => void): SessionOptions {
  const options: SessionOptions = { signal: run.signal, onNotice };
  const cache = args.cache ?? run.env.VHDVAULT_CACHE;
  if (args.threads !== undefined) options.threads = parseCount('--threads', args.threads);
  if (cache) options.cache = resolve(run.cwd, cache);
  if (run.env.VHDVAULT_STATE) options.state = resolve(run.cwd, run.env.VHDVAULT_STATE);
  if (args.staging !== undefined) options.staging = resolve(run.cwd, args.staging);
  if (args['accept-rollback']) options.acceptRollback = true;
  return options;
}
