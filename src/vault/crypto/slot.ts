import { argon2 } from 'node:crypto';
import { promisify } from 'node:util';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { BinaryReader, BinaryWriter } from '../binary.ts';
import { damaged, HEADER_SIZE, type ObjectHeader, parseObjectHeader } from '../codec/object-header.ts';
import { newObject, openObject, type VaultKeys } from './keys.ts';
import { DOMAIN_BODY } from './sealer.ts';

/*
 * Slot (FORMAT.md): header 96 | KDF u8 | memory KiB u32 | passes u32 | lanes u32 | sealed master key 48
 */
const CLEAR: number = HEADER_SIZE + 13;
export const SLOT_SIZE: number = CLEAR + 48;

/** What a person or a program gives to open a vault. */
export type SecretBytes = { passphrase: string } | { keyFile: Uint8Array };

export interface KdfCost {
  memoryKiB: number;
  passes: number;
  lanes: number;
}

/** 0.13 s on the machine that this was chosen on; OWASP asks for less. */
export const KDF_COST: KdfCost = { memoryKiB: 64 * 1024, passes: 3, lanes: 4 };

/** More than this is refused on read: a slot file must not be able to exhaust the machine. */
const KDF_CAP: KdfCost = { memoryKiB: 1024 * 1024, passes: 16, lanes: 16 };

export const KDF_PASSPHRASE = 1;
export const KDF_KEY_FILE = 2;

/** Wraps the master key for one secret. `vaultHash` binds the slot to its vault. */
export async function encodeSlot(options: {
  keys: VaultKeys;
  secret: SecretBytes;
  vaultHash: Uint8Array;
  cost: KdfCost;
  random: Random;
}): Promise<Uint8Array> {
  const { keys, secret, vaultHash, cost, random } = options;
  const salt = random.bytes(32);
  const kek = await deriveKey(secret, salt, cost);
  // The salt of the KDF is that of the header, so it must be known before the header's key.
  const fixed: Random = { bytes: () => salt };
  const { header, sealer } = newObject({ ...keys, master: kek, encrypted: true }, fixed, 'slot', new Uint8Array(16));
  const used = 'passphrase' in secret ? cost : { memoryKiB: 0, passes: 0, lanes: 0 };
  const clear = new BinaryWriter()
    .bytes(header)
    .u8(kdfOf(secret))
    .u32(used.memoryKiB)
    .u32(used.passes)
    .u32(used.lanes)
    .finish();
  const associated = Buffer.concat([vaultHash, clear]);
  return Buffer.concat([clear, ...sealer.seal(DOMAIN_BODY, 0, associated, keys.master)]);
}

/** The clear fields of a slot file, held against the caps; nothing of them is authentic yet. */
export interface SlotFields {
  header: ObjectHeader;
  /** 1 passphrase, 2 key file; others are of a later version. */
  kdf: number;
  cost: KdfCost;
}

/**
 * Looks at a slot file before any work is done for it.
 * @throws VAULT_DAMAGED when it is no slot of this family, or asks for more or less work than a slot may; VAULT_NEWER
 */
export function parseSlot(stored: Uint8Array, path: string, family: Uint8Array): SlotFields {
  const header = parseObjectHeader(stored, 'slot', path);
  if (stored.byteLength !== SLOT_SIZE)
    throw damaged(path, `is ${stored.byteLength} bytes long, a slot has ${SLOT_SIZE}`);
  if (!equalBytes(header.family, family)) throw damaged(path, 'belongs to another vault');
  const fields = new BinaryReader(stored.subarray(HEADER_SIZE, CLEAR), (what) => damaged(path, what));
  const kdf = fields.u8();
  const cost = { memoryKiB: fields.u32(), passes: fields.u32(), lanes: fields.u32() };
  if (kdf === KDF_PASSPHRASE) checkCost(cost, path);
  if (kdf === KDF_KEY_FILE && cost.memoryKiB + cost.passes + cost.lanes > 0)
    throw damaged(path, 'asks for work that a key file does not need');
  return { header, kdf, cost };
}

function checkCost({ memoryKiB, passes, lanes }: KdfCost, path: string): void {
  if (memoryKiB > KDF_CAP.memoryKiB || passes > KDF_CAP.passes || lanes > KDF_CAP.lanes)
    throw damaged(path, 'asks for more work than any slot of vhdvault');
  if (lanes < 1 || passes < 1 || memoryKiB < 8 * lanes) throw damaged(path, 'asks for less work than argon2id can do');
}

export function kdfOf(secret: SecretBytes): number {
  return 'passphrase' in secret ? KDF_PASSPHRASE : KDF_KEY_FILE;
}

/**
 * Opens a slot with a secret: the master key, or undefined when the secret is not the slot's.
 * @throws VAULT_DAMAGED when the slot is no slot of this vault, or was changed; VAULT_NEWER
 */
export async function openSlot(options: {
  stored: Uint8Array;
  path: string;
  family: Uint8Array;
  secret: SecretBytes;
  vaultHash: Uint8Array;
  /** Called while another thread derives the key from a passphrase. */
  meanwhile?: (() => void) | undefined;
}): Promise<Uint8Array | undefined> {
  const { stored, path, family, secret, vaultHash, meanwhile } = options;
  const { header, kdf, cost } = parseSlot(stored, path, family);
  if (kdf !== kdfOf(secret)) return undefined;
  const deriving = deriveKey(secret, header.salt, cost).catch((cause: unknown) => {
    throw noMemory(path, cost, cause);
  });
  meanwhile?.();
  const kek = await deriving;
  let sealer: ReturnType<typeof openObject>;
  try {
    sealer = openObject({ family, master: kek, encrypted: true }, header, path);
  } catch (error) {
    if ((error as VhdvaultError).code === 'VAULT_KEY_WRONG') return undefined;
    throw error;
  }
  const clear = stored.subarray(0, CLEAR);
  const master = sealer.unseal(DOMAIN_BODY, 0, Buffer.concat([vaultHash, clear]), stored.subarray(CLEAR));
  if (!master) throw damaged(path, 'is not authentic, or vault.json was changed');
  return master;
}

async function deriveKey(secret: SecretBytes, salt: Uint8Array, cost: KdfCost): Promise<Uint8Array> {
  if ('keyFile' in secret)
    return hkdf(sha256, secret.keyFile, salt, new TextEncoder().encode('vhdvault/keyfile/1'), 32);
  const derive = promisify(argon2) as (name: string, parameters: object) => Promise<Buffer>;
  return derive('argon2id', {
    message: Buffer.from(secret.passphrase.normalize('NFC'), 'utf8'),
    nonce: salt,
    parallelism: cost.lanes,
    tagLength: 32,
    memory: cost.memoryKiB,
    passes: cost.passes,
  });
}

/** The one way in which argon2id fails. Of another slot it may ask for less. */
function noMemory(path: string, { memoryKiB }: KdfCost, cause: unknown): VhdvaultError {
  return new VhdvaultError('IO', `there was no memory for ${path}, which asks for ${Math.ceil(memoryKiB / 1024)} MiB`, {
    hint: 'free some memory, and run the command again',
    details: { path, memoryKiB },
    cause,
  });
}

/** @throws VAULT_KEY_REFUSED for an empty passphrase or a key file that is too short to be one */
export function checkSecret(secret: SecretBytes): void {
  if ('passphrase' in secret && secret.passphrase.length > 0) return;
  if ('keyFile' in secret && secret.keyFile.byteLength >= 32) return;
  const what =
    'passphrase' in secret
      ? 'the passphrase is empty'
      : `the key file has ${secret.keyFile.byteLength} bytes, it needs at least 32`;
  throw new VhdvaultError('VAULT_KEY_REFUSED', what, {
    hint:
      'passphrase' in secret
        ? 'give a passphrase'
        : 'make one with: head -c 32 /dev/urandom > KEYFILE; chmod 600 KEYFILE',
  });
}
