import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { throwIfAborted } from '../base/abort.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { Pool } from '../pool/pool.ts';
import { openThreadPool } from '../pool/thread-pool.ts';
import { isBlake3Native } from '../vault/block-ids.ts';
import { createVault as createVaultIn } from '../vault/create-vault.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import { checkSeenHead, rememberHead } from '../vault/seen-head.ts';
import { type KdfCost, openVault as openVaultIn, type SecretBytes, type Vault } from '../vault/vault.ts';
import type { Compression, InitResult, Secret } from './types.ts';

export interface SessionOptions {
  /** What opens the vault; nothing for one that is not encrypted. */
  secret?: Secret;
  /** Folder of the cache; default the platform's cache folder + /vhdvault. */
  cache?: string;
  /** Folder of the state (last head seen); default the platform's. */
  state?: string;
  /** Worker threads; default the number of cores. */
  threads?: number;
  /** Go on with a vault that went back or was replaced. */
  acceptRollback?: boolean;
  /** Folder for staging locations, on the vault's file system; default in the vault. */
  staging?: string;
  signal?: AbortSignal;
  onNotice?: (text: string) => void;
  /** For tests and simulation: other parts than the real ones. */
  parts?: SessionParts;
}

export interface SessionParts {
  store?: StoreAddress;
  pool?: Pool;
  clock?: Clock;
  random?: Random;
  kdf?: KdfCost;
  reserve?: number;
}

/** An open vault with what a run on this machine needs besides: threads, cache and state. */
export interface VaultSession extends AsyncDisposable {
  readonly vault: Vault;
  readonly address: string;
  readonly pool: Pool;
  /** This vault's own folder of the cache. */
  readonly cache: string;
  readonly notice: (text: string) => void;
  /** Remembers the head of now in the state folder (L5). */
  rememberHead(): Promise<void>;
}

/**
 * Opens a vault and checks it against what this user saw last.
 * @throws VAULT_MISSING, VAULT_NEWER, VAULT_DAMAGED, VAULT_ROLLED_BACK, VAULT_KEY_MISSING, VAULT_KEY_WRONG, VAULT_KEY_REFUSED
 */
export async function openVault(address: string, options: SessionOptions = {}): Promise<VaultSession> {
  throwIfAborted(options.signal);
  const { parts = {}, onNotice: notice = () => undefined } = options;
  const folders = envPaths('vhdvault', { suffix: '' });
  const state = options.state ?? (process.platform === 'linux' ? folders.log : join(folders.data, 'state'));
  const store = openStore(storeAddress(address, options));
  const vault = await openVaultIn(store, {
    ...(options.secret && { secret: await readSecret(options.secret) }),
    random: parts.random ?? systemRandom,
    clock: parts.clock ?? systemClock,
  });
  if (!options.acceptRollback) await checkSeenHead(state, address, vault);
  const cache = await cacheFolder(join(options.cache ?? folders.cache, vault.id), notice);
  const pool = parts.pool ?? openThreadPool(options.threads ?? availableParallelism());
  const session: VaultSession = {
    vault,
    address,
    pool,
    cache: cache.path,
    notice,
    async rememberHead() {
      const problem = await rememberHead(state, address, vault);
      if (problem) notice(problem);
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      if (cache.temporary) await rm(cache.path, { recursive: true, force: true });
    },
  };
  if (!isBlake3Native) notice('no native BLAKE3 on this platform: backups are many times slower than they could be');
  await session.rememberHead();
  return session;
}

/**
 * Makes a vault.
 * @throws VAULT_EXISTS, VAULT_UNSUITABLE, VAULT_KEY_MISSING, VAULT_KEY_REFUSED, USAGE, NO_SPACE
 */
export async function createVault(
  address: string,
  options: SessionOptions & { blockSize?: number; compression?: Compression; unencrypted?: boolean },
): Promise<InitResult> {
  throwIfAborted(options.signal);
  const { secret, unencrypted = false, parts = {}, blockSize, compression } = options;
  checkWish(secret, unencrypted);
  const folder = storeAddress(address, options);
  if (folder.kind === 'folder') await mkdir(folder.path, { recursive: true }).catch(failed('making', folder.path));
  const config = await createVaultIn(openStore(folder), {
    ...(secret && { secret: await readSecret(secret) }),
    ...(blockSize !== undefined && { blockSize }),
    ...(compression && { codec: compression }),
    ...(parts.kdf && { kdf: parts.kdf }),
    ...(parts.reserve !== undefined && { reserve: parts.reserve }),
    random: parts.random ?? systemRandom,
    clock: parts.clock ?? systemClock,
  });
  // Opened once: a vault that cannot be opened must show now. Its address may have held another one before.
  await using session = await openVault(address, { ...options, acceptRollback: true });
  const { vault } = session;
  return {
    vault: address,
    id: vault.id,
    blockSize: config.blockSize,
    compression: config.codec,
    encrypted: config.encrypted,
  };
}

function checkWish(secret: Secret | undefined, unencrypted: boolean): void {
  if (secret && unencrypted) {
    throw new VhdvaultError('USAGE', 'a passphrase or key file was given together with --unencrypted', {
      hint: 'leave one of them out',
    });
  }
  if (secret || unencrypted) return;
  throw new VhdvaultError(
    'VAULT_KEY_MISSING',
    'a vault is encrypted unless you refuse, and no passphrase or key file was given',
    {
      hint: 'use --passphrase-file FILE, VHDVAULT_PASSPHRASE_FILE, VHDVAULT_PASSPHRASE, --key-file FILE or VHDVAULT_KEY_FILE; or --unencrypted',
    },
  );
}

function storeAddress(address: string, { parts, staging }: SessionOptions): StoreAddress {
  return (
    parts?.store ?? {
      kind: 'folder',
      path: resolve(address),
      ...(staging !== undefined && { staging: resolve(staging) }),
    }
  );
}

async function readSecret(secret: Secret): Promise<SecretBytes> {
  if ('passphrase' in secret) return secret;
  const found = await stat(secret.keyFile).catch(failed('reading the key file', secret.keyFile));
  if (found.size > 1024 * 1024) {
    throw new VhdvaultError('VAULT_KEY_REFUSED', `${secret.keyFile} has ${found.size} bytes, too many for a key file`, {
      hint: 'make one with: head -c 32 /dev/urandom > KEYFILE; chmod 600 KEYFILE',
    });
  }
  return { keyFile: await readFile(secret.keyFile).catch(failed('reading the key file', secret.keyFile)) };
}

/** The cache saves time only: where it cannot be made, a temporary folder serves. */
async function cacheFolder(
  path: string,
  notice: (text: string) => void,
): Promise<{ path: string; temporary: boolean }> {
  try {
    await mkdir(join(path, 'jobs'), { recursive: true, mode: 0o700 });
    await mkdir(join(path, 'tables'), { recursive: true });
    return { path, temporary: false };
  } catch (error) {
    notice(`no cache in ${path} (${(error as Error).message}): a temporary one is used`);
    const temporary = await mkdtemp(join(tmpdir(), 'vhdvault-'));
    await mkdir(join(temporary, 'jobs'));
    await mkdir(join(temporary, 'tables'));
    return { path: temporary, temporary: true };
  }
}

function failed(doing: string, path: string): (error: unknown) => never {
  return (error) => {
    throw ioError(error, doing, path);
  };
}
