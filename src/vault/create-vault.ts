import { createPrivateKey, createPublicKey } from 'node:crypto';
import { sha256 } from '@noble/hashes/sha2.js';
import { type Clock, systemClock } from '../base/clock.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { MIB } from '../base/units.ts';
import { TOOL } from '../base/version.ts';
import { PACK_FOLDERS } from './block-writer.ts';
import type { Codec } from './codec/compress.ts';
import { CONFIG_PATH, checkBlockSize, encodeConfig, type VaultConfig } from './config.ts';
import { blake3 } from './crypto/blake3.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { checkSecret, encodeSlot, KDF_COST, type KdfCost, type SecretBytes } from './crypto/slot.ts';
import { encodeEntry, logPath } from './log/entry.ts';
import { placeOf, type Store, writeObject } from './open-store.ts';
import { RESERVE_PATH, writeReserve } from './reserve.ts';

export interface CreateOptions {
  /** Left out: the vault is not encrypted. */
  secret?: SecretBytes;
  /** Default 128 KiB. */
  blockSize?: number;
  /** Default lz4. */
  codec?: Codec;
  /** Bytes set aside for a full disk; default 64 MiB. */
  reserve?: number;
  /** Tests only: a cheap key derivation. */
  kdf?: KdfCost;
  random?: Random;
  clock?: Clock;
}

/** Made first and removed last: it tells what a dead init left from a folder of strangers, and from a vault without its vault.json. */
const INIT = 'staging/init';
/** Sign of a dead init whose rest is being removed. */
const OLD = 'staging/init-old';
/** In staging/: also of one whose leftovers are being removed. */
const SIGN = /^init(-old)?$/;

/** What file systems without link(2) answer; anything else is trouble of the moment. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
export const FOLDERS: readonly string[] = [
  'keys',
  'log',
  'ckpt',
  'index',
  'lists',
  'locks',
  'staging',
  'quarantine',
  'packs',
];

/**
 * Makes a vault in an empty store; vault.json is linked last, so a vault is there whole or not at all. What a dead init
 * left is removed first.
 * @throws VAULT_EXISTS, VAULT_UNSUITABLE, VAULT_KEY_REFUSED, USAGE, OUTCOME_UNKNOWN
 */
export async function createVault(store: Store, options: CreateOptions = {}): Promise<VaultConfig> {
  const { secret, random = systemRandom, clock = systemClock, reserve = 64 * MIB, blockSize = 128 * 1024 } = options;
  checkBlockSize(blockSize);
  if (secret) checkSecret(secret);
  await clearLeftovers(store);
  await store.makeFolder(INIT);
  // Without it, what a power cut leaves of the rest would be a folder of strangers.
  for (const folder of ['staging', '.']) await store.syncFolder(folder);
  for (const folder of FOLDERS) await store.makeFolder(folder);
  for (const folder of PACK_FOLDERS) await store.makeFolder(`packs/${folder}`);

  const singleWriter = await probe(store);
  const master = random.bytes(32);
  const certificateSeed = random.bytes(32);
  const config: VaultConfig = {
    family: random.bytes(16),
    id: random.bytes(16),
    blockSize,
    codec: options.codec ?? 'lz4',
    encrypted: secret !== undefined,
    publicKey: secret ? null : master,
    certificateKey: publicKeyOf(certificateSeed),
    singleWriter,
    reserve,
  };
  const stored = encodeConfig(config);
  const vaultHash = sha256(stored);
  const keys: VaultKeys = { family: config.family, master, encrypted: config.encrypted };
  const slots = secret
    ? [await writeSlot({ store, keys, secret, vaultHash, cost: options.kdf ?? KDF_COST, random })]
    : [];
  await writeReserve(store, reserve);
  const body = { type: 'init' as const, vaultHash, slots, certificateSeed };
  const entry = { sequence: 1, job: '0'.repeat(32), time: clock.now(), tool: TOOL, clockDoubted: false, body };
  await writeObject(store, logPath(1), encodeEntry(keys, random, vaultHash, entry).bytes);
  await publishConfig(store, stored, singleWriter);
  // The vault is made: what cannot be tidied now is by the first run that writes.
  await store.removeFolder(INIT).catch(() => undefined);
  return config;
}

/** An init that was killed at its very end: what it made must last before anybody builds on it. */
export async function settleInit(store: Store): Promise<void> {
  if (!(await store.list('staging')).includes('init')) return;
  for (const folder of ['keys', 'log', 'packs', '.']) await store.syncFolder(folder);
  await store.removeFolder(INIT);
}

/** Refuses what holds a vault or strangers' files; removes what a dead init left, which has no vault.json and no history. */
async function clearLeftovers(store: Store): Promise<void> {
  const names = await checkEmpty(store);
  // Whose sign is gone cannot finish: not even an init that is at work in this moment.
  if ((await store.list('staging')).includes('init')) {
    await store.removeFolder(OLD);
    // There before the other one goes: a power cut may leave neither name of what is renamed.
    await store.makeFolder(OLD);
    await store.syncFolder('staging');
    await store.rename(INIT, `${OLD}/init`);
    await store.syncFolder('staging');
  }
  await checkEmpty(store);
  const rest = names.filter((name) => name !== 'staging');
  for (const name of rest) await (name === RESERVE_PATH ? store.remove(name) : store.removeFolder(name));
  // The sign goes last, also where the power goes.
  if (rest.length > 0) await store.syncFolder('.');
  await store.removeFolder('staging');
}

/** Names of what a dead init left. @throws VAULT_EXISTS */
async function checkEmpty(store: Store): Promise<string[]> {
  const names = await store.list('.');
  // By name: a listing may leave it out.
  if ((await store.size(CONFIG_PATH)) !== undefined) {
    // Who is told so builds on it: an init before this one may have ended before that name was durable.
    await store.syncFolder('.');
    throw new VhdvaultError('VAULT_EXISTS', `there is a vault already in ${placeOf(store)}`, {
      hint: 'use it, or choose another folder; `vhdvault points` shows what it holds',
    });
  }
  const strangers = names.filter((name) => ![...FOLDERS, RESERVE_PATH].includes(name));
  const entries = await store.list('log');
  const staging = await store.list('staging');
  const isDeadInit = staging.some((name) => SIGN.test(name)) || (names.join() === 'staging' && staging.length === 0);
  if (strangers.length === 0 && entries.length <= 1 && (names.length === 0 || isDeadInit)) return names;
  throw new VhdvaultError('VAULT_EXISTS', `${placeOf(store)} is not empty: it holds ${names.slice(0, 5).join(', ')}`, {
    hint:
      entries.length > 0
        ? 'this is a vault that lost its vault.json: bring that file back from a copy; do not init here'
        : 'choose an empty or a new folder',
  });
}

/** Tells whether the store must be used by one writer at a time; refuses one on which a commit cannot be atomic (L3). */
async function probe(store: Store): Promise<boolean> {
  await store.remove(`${INIT}/probe`);
  await writeObject(store, `${INIT}/probe`, Uint8Array.of(1));
  const twice = await store.create(`${INIT}/probe`).catch((error: unknown) => error as VhdvaultError);
  if (!('code' in twice && twice.code === 'TARGET_EXISTS')) {
    throw new VhdvaultError('VAULT_UNSUITABLE', 'this file system cannot create a file only if it is absent (O_EXCL)', {
      hint: 'put the vault on another file system (ext4, xfs, btrfs, NTFS, APFS)',
    });
  }
  try {
    const first = await store.link(`${INIT}/probe`, `${INIT}/probe-link`);
    const second = await store.link(`${INIT}/probe`, `${INIT}/probe-link`);
    return !(first === 'linked' && second === 'exists');
  } catch (error) {
    const system = isError(error) ? error.details.system : undefined;
    if (NO_LINKS.includes(String(system))) return true;
    throw error;
  }
}

async function writeSlot(
  options: Parameters<typeof encodeSlot>[0] & { store: Store },
): Promise<{ name: string; hash: string }> {
  const stored = await encodeSlot(options);
  const name = toHex(options.random.bytes(8));
  await writeObject(options.store, `keys/${name}`, stored);
  return { name, hash: toHex(blake3(stored)) };
}

async function publishConfig(store: Store, stored: Uint8Array, singleWriter: boolean): Promise<void> {
  const part = `${INIT}/${CONFIG_PATH}`;
  await writeObject(store, part, stored);
  for (const folder of ['keys', 'packs', '.']) await store.syncFolder(folder);
  if (singleWriter) await store.rename(part, CONFIG_PATH);
  else if ((await store.link(part, CONFIG_PATH)) === 'exists') {
    throw new VhdvaultError('VAULT_EXISTS', 'another init made a vault here meanwhile', { hint: 'use that one' });
  }
  await store.syncFolder('.').catch((cause: unknown) => {
    throw new VhdvaultError('OUTCOME_UNKNOWN', `${CONFIG_PATH} was written but could not be made durable`, {
      hint: 'look at the disk of the vault, then run `vhdvault points`: the vault is there, or init makes it anew',
      cause,
    });
  });
}

/** Ed25519, from its 32-byte seed in PKCS #8 (RFC 8410). */
function publicKeyOf(seed: Uint8Array): Uint8Array {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(spki.subarray(-32));
}
