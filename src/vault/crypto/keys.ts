import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { damaged, encodeObjectHeader, type ObjectHeader, type ObjectKind } from '../codec/object-header.ts';
import { createSealer, type Sealer } from './sealer.ts';

/** All that opens a vault's objects, as plain data: it crosses to worker threads of this process and nowhere else. */
export interface VaultKeys {
  family: Uint8Array;
  /** 32 bytes; public where the vault is not encrypted. */
  master: Uint8Array;
  encrypted: boolean;
}

const text = (words: string): Uint8Array => new TextEncoder().encode(words);
const concat = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);

/** A key that is the same for the whole family of vaults: for ids and names. */
export function constantKey(keys: VaultKeys, purpose: 'id-data' | 'id-page' | 'name'): Uint8Array {
  return expand(sha256, extract(sha256, keys.master, keys.family), text(`vhdvault/${purpose}/1`), 32);
}

/** Makes the header and the sealer of a new object; its salt is fresh, so are key and name. */
export function newObject(
  keys: VaultKeys,
  random: Random,
  kind: ObjectKind,
  job: Uint8Array,
  critical: boolean = kind === 'entry',
): { header: Uint8Array; sealer: Sealer } {
  const salt = random.bytes(32);
  const { key, commitment } = objectKey(keys, kind, salt);
  const header = encodeObjectHeader({
    kind,
    encrypted: keys.encrypted,
    critical,
    family: keys.family,
    job,
    salt,
    commitment,
  });
  return { header, sealer: createSealer(key, keys.encrypted) };
}

/**
 * The sealer of an existing object.
 * @throws VAULT_DAMAGED when the object is of another vault family, of the other encryption mode, or sealed under another key
 * @throws VAULT_KEY_WRONG when a slot was sealed under another key: only there the key is still in question
 */
export function openObject(keys: VaultKeys, header: ObjectHeader, path: string): Sealer {
  if (!equalBytes(header.family, keys.family)) throw damaged(path, 'belongs to another vault');
  if (header.encrypted !== keys.encrypted) {
    throw damaged(path, `is ${header.encrypted ? '' : 'not '}encrypted, unlike the vault`);
  }
  const { key, commitment } = objectKey(keys, header.kind, header.salt);
  if (!equalBytes(commitment, header.commitment)) {
    const what = 'was not sealed with this key';
    if (header.kind !== 'slot') throw damaged(path, what);
    throw new VhdvaultError('VAULT_KEY_WRONG', `${path} ${what}`, {
      hint: 'give the passphrase or key file of this vault',
      details: { path },
    });
  }
  return createSealer(key, keys.encrypted);
}

function objectKey(keys: VaultKeys, kind: ObjectKind, salt: Uint8Array): { key: Uint8Array; commitment: Uint8Array } {
  const prk = extract(sha256, keys.master, salt);
  return {
    key: expand(sha256, prk, concat(text(`vhdvault/${kind}/1`), keys.family), 32),
    commitment: expand(sha256, prk, concat(text('vhdvault/commit/1'), keys.family), 16),
  };
}
