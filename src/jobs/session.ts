import { rm, stat } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import envPaths from 'env-paths';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { type Clock, steadyClock, systemClock } from '../base/clock.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { bootId, sinceBoot } from '../base/machine.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { keepEntries, placeOfCopy } from '../cache/entry-copies.ts';
import { makeFolderDurable } from '../io/folder.ts';
import type { Pool } from '../pool/pool.ts';
import { openThreadPool } from '../pool/thread-pool.ts';
import { isBlake3Native } from '../vault/block-ids.ts';
import { checkBlockSize } from '../vault/config.ts';
import { createVault as createVaultIn } from '../vault/create-vault.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import { checkSeenHead, clockDoubt, type MachineTime, readSeenHeads, rememberHead } from '../vault/seen-head.ts';
import { type KdfCost, openVault as openVaultIn, type SecretBytes, type Vault } from '../vault/vault.ts';
import { openCacheFolder } from './cache-folder.ts';
import { readSecret, type SecretOptions, secretOf } from './read-secret.ts';
import type { ClockTrust, Compression, InitResult, Secret } from './types.ts';

/** How to open a vault, and what of this machine to use for it. Neither secret for a vault that is not encrypted. */
export interface SessionOptions extends SecretOptions, Cancellable {
  /** Folder of the cache; default the platform's cache folder + /vhdvault. All in it may be deleted at any time. */
  cache?: string;
  /** Folder of the state, which remembers what was seen of each vault last; default the platform's. */
  state?: string;
  /** Worker threads, at least 1; default the number of cores. */
  threads?: number;
  /** Go on with a vault that went back to an older state, or was replaced by another one. */
  acceptRollback?: boolean;
  /** Folder for staging locations, on the vault's file system; default in the vault. */
  staging?: string;
  /** Called with a sentence when something happened that needs no action, as a cache that was rebuilt. */
  onNotice?: (text: string) => void;
  /** @internal Called while the vault opens, when this thread waits: what can be done by then costs no time. Perhaps never, or more than once. */
  meanwhile?: (pool: Pool) => void;
  /** @internal For tests and simulation: other parts than the real ones. */
  parts?: SessionParts;
}

/** How to make a vault; both sizes and the choice of encryption stay as they are for ever. */
export interface CreateVaultOptions extends SessionOptions {
  /** Bytes of a block: a power of two from 16 KiB to 4 MiB; default 128 KiB. */
  blockSize?: number;
  /** Default lz4. */
  compression?: Compression;
  /** Store everything readable by anyone who can read the vault; instead of a passphrase or key file. */
  unencrypted?: boolean;
}

/** @internal */
export interface SessionParts {
  store?: StoreAddress;
  pool?: Pool;
  clock?: Clock;
  random?: Random;
  kdf?: KdfCost;
  reserve?: number;
}

/** An open vault with what a run on this machine needs besides: threads, cache and state. Close it: `await using`. */
export interface VaultSession extends AsyncDisposable {
  /** The vault's address, as it was given. */
  readonly address: string;
  /** @internal */
  readonly vault: Vault;
  /** @internal */
  readonly pool: Pool;
  /** @internal This vault's own folder of the cache. */
  readonly cache: string;
  /** @internal Folder in the cache for copies of the log's newest entries, also where the cache cannot be written. */
  readonly copies: string;
  /** @internal The folder of the state. */
  readonly state: string;
  /** @internal What this user saw of the log last, before this session. */
  readonly seenHead: { sequence: number; hash: string } | undefined;
  /** @internal This user has never seen the vault before: nothing would tell that it went back (L5). */
  readonly isFirstSight: boolean;
  /**
   * @internal Compares the vault with what was seen last, if that could not be done before for damage; `accept`: what it is now is
   * the work of this session. @throws VAULT_ROLLED_BACK
   */
  readonly compare: (options?: { accept?: boolean }) => Promise<void>;
  /** @internal */
  readonly notice: (text: string) => void;
  /** @internal Takes the passphrase out of a text that is kept or shown. */
  readonly redact: (text: string) => string;
  /** @internal Why the clock of this machine is to be doubted (L7): entries are marked with it, and no age is relied on. */
  readonly clockDoubt?: string;
  /** @internal What opened the vault, or took its place since; undefined where it is not encrypted. */
  secret?: SecretBytes;
  /** @internal Tests only: a cheap key derivation for new key slots. */
  readonly kdf?: KdfCost;
  /**
   * @internal Remembers the head in the state folder, and what time it is (L5, L7); keeps copies of the newest entries. A doubt about the clock lasts until it is
   * right again, or `acceptClock`.
   */
  rememberHead(trust?: ClockTrust): Promise<void>;
}

/**
 * Opens a vault and checks it against what this user saw last. `address` is the path of its folder. What other processes add
 * to the vault is seen when it is opened again, or after a backup.
 * @throws USAGE, VAULT_MISSING, VAULT_NEWER, VAULT_DAMAGED, VAULT_ROLLED_BACK, VAULT_KEY_MISSING, VAULT_KEY_WRONG,
 * VAULT_KEY_REFUSED, CANCELLED, NOT_FOUND, NO_PERMISSION, IO
 */
export async function openVault(address: string, options: SessionOptions = {}): Promise<VaultSession> {
  throwIfAborted(options.signal);
  const { parts = {}, onNotice: notice = () => undefined, threads = availableParallelism() } = options;
  const given = secretOf(options);
  checkThreads(threads);
  const folders = envPaths('vhdvault', { suffix: '' });
  const state = options.state ?? (process.platform === 'linux' ? folders.log : join(folders.data, 'state'));
  const { random = systemRandom } = parts;
  const clock = parts.clock ?? steadyClock(systemClock);
  const storeAt = storeAddress(address, options);
  const secret = given && (await readSecret(given));
  await using opened = new AsyncDisposableStack();
  const pool = opened.use(parts.pool ?? openThreadPool(threads));
  const meanwhile = (): void => {
    options.meanwhile?.(pool);
    isBlake3Native();
  };
  const vault = await openVaultIn(openStore(storeAt), { ...(secret && { secret }), random, clock, meanwhile });
  throwIfAborted(options.signal);
  const seen = await readSeenHeads(state, address, vault);
  const home = join(options.cache ?? folders.cache, vault.id);
  const copies = join(home, 'log');
  const copyOf = (sequence: number, hash: string): Promise<string | undefined> => placeOfCopy(copies, sequence, hash);
  let isCompared = false;
  const compare = async ({ accept = options.acceptRollback ?? false } = {}): Promise<void> => {
    if (!isCompared && !accept) await checkSeenHead(seen, address, vault, copyOf);
    // Behind damage not all of it could be.
    isCompared ||= vault.damage === undefined;
  };
  await compare();
  if (seen.notice) notice(seen.notice);
  await prepareStaging(storeAt);
  const now = await machineTime(clock);
  const doubt = clockDoubt(seen.byId?.time, now, vault.state.time);
  if (doubt !== undefined) vault.doubtClock();
  const doubted = doubt === undefined ? undefined : (seen.byId?.time ?? now);
  const remember = async (time: MachineTime): Promise<void> => {
    await compare();
    const problem = await rememberHead({ folder: state, address, vault, time });
    if (problem) notice(problem);
    await keepEntries(copies, vault).catch(() => undefined);
  };
  const cache = await openCacheFolder(home, clock.now(), notice);
  const session: VaultSession = {
    vault,
    address,
    pool,
    cache: cache.path,
    copies,
    state,
    seenHead: seen.byId,
    isFirstSight: !seen.byId && !seen.notice,
    compare,
    notice,
    redact: redactor(options.passphrase),
    ...(doubt !== undefined && { clockDoubt: doubt }),
    ...(secret && { secret }),
    ...(parts.kdf && { kdf: parts.kdf }),
    rememberHead: async ({ acceptClock = false } = {}) =>
      remember((acceptClock ? undefined : doubted) ?? (await machineTime(clock))),
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      if (cache.temporary) await rm(cache.path, { recursive: true, force: true });
    },
  };
  if (!isBlake3Native()) notice('no native BLAKE3 on this platform: backups are many times slower than they could be');
  await session.rememberHead();
  opened.move();
  return session;
}

/**
 * Makes a vault in an empty or new folder. It is encrypted by a passphrase or a key file, unless that is refused with
 * `unencrypted`.
 * @throws VAULT_EXISTS, VAULT_UNSUITABLE, VAULT_KEY_MISSING, VAULT_KEY_REFUSED, USAGE, NO_SPACE, OUTCOME_UNKNOWN, CANCELLED,
 * NO_PERMISSION, IO
 */
export async function createVault(address: string, options: CreateVaultOptions): Promise<InitResult> {
  throwIfAborted(options.signal);
  const { unencrypted = false, parts = {}, blockSize, compression } = options;
  const secret = secretOf(options);
  checkWish(secret, unencrypted);
  checkThreads(options.threads ?? 1);
  if (blockSize !== undefined) checkBlockSize(blockSize);
  const store = storeAddress(address, options);
  if (store.kind === 'folder') await makeFolderDurable(store.path, 0o700);
  await prepareStaging(store);
  // Made without `--staging`: what init leaves when it dies belongs to this folder.
  const config = await createVaultIn(openStore(withoutStaging(store)), {
    ...(secret && { secret: await readSecret(secret) }),
    ...(blockSize !== undefined && { blockSize }),
    ...(compression && { codec: compression }),
    ...(parts.kdf && { kdf: parts.kdf }),
    ...(parts.reserve !== undefined && { reserve: parts.reserve }),
    random: parts.random ?? systemRandom,
    clock: parts.clock ?? systemClock,
  });
  // Opened once: a vault that cannot be opened must show now. Its address may have held another one before. The vault is
  // made: nobody may be told CANCELLED any more.
  const { signal: _, ...rest } = options;
  await using session = await openVault(address, { ...rest, acceptRollback: true });
  const { vault } = session;
  return {
    vault: address,
    id: vault.id,
    blockSize: config.blockSize,
    compression: config.codec,
    encrypted: config.encrypted,
  };
}

/** A word so short would be found in every text. */
const SHORTEST_SECRET = 4;

function redactor(passphrase: string | undefined): (text: string) => string {
  if (passphrase === undefined || passphrase.length < SHORTEST_SECRET) return (text) => text;
  return (text) => text.replaceAll(passphrase, '***');
}

export function checkThreads(threads: number): void {
  if (Number.isSafeInteger(threads) && threads >= 1) return;
  throw new VhdvaultError('USAGE', `${threads} is no number of threads`, { hint: 'use 1 or more' });
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

function withoutStaging(address: StoreAddress): StoreAddress {
  return address.kind === 'folder' ? { kind: 'folder', path: address.path } : address;
}

/** Packs and entries move from the staging location into the vault by rename and link, which cannot cross file systems. */
async function prepareStaging(address: StoreAddress): Promise<void> {
  if (address.kind !== 'folder' || address.staging === undefined) return;
  const { path, staging } = address;
  await makeFolderDurable(staging, 0o700);
  const [own, other] = await Promise.all(
    [path, staging].map((folder) => stat(folder).catch(failed('looking at', folder))),
  );
  if (own?.dev === other?.dev) return;
  throw new VhdvaultError('USAGE', `${staging} is on another file system than the vault`, {
    hint: "choose a folder on the vault's file system, or leave --staging out",
    details: { path: staging },
  });
}

async function machineTime(clock: Clock): Promise<MachineTime> {
  return { wall: clock.now(), boot: await bootId(), uptime: sinceBoot() };
}

function failed(doing: string, path: string): (error: unknown) => never {
  return (error) => {
    throw ioError(error, doing, path);
  };
}
