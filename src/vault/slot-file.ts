import { sha256 } from '@noble/hashes/sha2.js';
import { isError, VhdvaultError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import { checkSlot, slotPath } from './check-slot.ts';
import { encodeConfig } from './config.ts';
import { blake3 } from './crypto/blake3.ts';
import { encodeSlot, KDF_COST, type KdfCost, kdfOf, openSlot, parseSlot } from './crypto/slot.ts';
import { writeObject } from './open-store.ts';
import type { SecretBytes, Slot, Vault } from './vault.ts';

/** A new way into the vault. */
export interface NewKey {
  secret: SecretBytes;
  /** What its owner calls it; may be empty. */
  label?: string;
  /** Tests only: a cheap key derivation. */
  kdf?: KdfCost;
}

/** A slot whose file is there, and opens. */
export interface WrittenSlot {
  name: string;
  hash: string;
  kdf: number;
  label: string;
  stored: Uint8Array;
}

/** Content, then its name, both durable; then it must open, as it lies there, and give the key that we have. */
export async function writeSlot(vault: Vault, { secret, kdf = KDF_COST }: NewKey, label: string): Promise<WrittenSlot> {
  const { store, keys, random, config } = vault;
  const vaultHash = sha256(encodeConfig(config));
  const stored = await encodeSlot({ keys, secret, vaultHash, cost: kdf, random });
  const name = toHex(random.bytes(8));
  const path = slotPath(name);
  try {
    await writeObject(store, path, stored);
    const back = await store.get(path);
    const master = await openSlot({ stored: back, path, family: config.family, secret, vaultHash });
    if (!master || !equalBytes(master, keys.master)) {
      throw new VhdvaultError('IO', `${path} does not come back as it was written`, {
        hint: 'nothing was changed; look at the disk of the vault and at the memory of this machine',
        details: { path },
      });
    }
  } catch (error) {
    if (!isError(error, 'TARGET_EXISTS')) await store.remove(path).catch(() => undefined);
    throw error;
  }
  return { name, hash: toHex(blake3(stored)), kdf: kdfOf(secret), label, stored };
}

/** Somebody may have taken the file for a leftover before the log listed it. */
export async function keepFile({ store }: Vault, fresh: WrittenSlot): Promise<void> {
  const trouble = await checkSlot(store, fresh);
  if (!trouble || trouble.unread !== null) return;
  await store.remove(slotPath(fresh.name));
  await writeObject(store, slotPath(fresh.name), fresh.stored);
}

/** The file of a slot that the log does not list any more, and why it is there still. */
export interface Left {
  name: string;
  why: string;
}

/** What stays opens nothing by itself, and is told. */
export async function dropFiles({ store }: Vault, names: readonly string[]): Promise<Left[]> {
  const left: Left[] = [];
  for (const name of names) {
    try {
      await store.remove(slotPath(name));
      await store.syncFolder('keys');
    } catch (error) {
      if (!isError(error)) throw error;
      left.push({ name, why: error.message });
    }
  }
  return left;
}

/** Names of the listed slots that a secret opens. */
export async function openedBy({ store, config, state }: Vault, secret: SecretBytes): Promise<string[]> {
  const vaultHash = sha256(encodeConfig(config));
  const names: string[] = [];
  for (const slot of state.slots) {
    // What the log does not tell of may ask for any work.
    if (await checkSlot(store, slot)) continue;
    const path = slotPath(slot.name);
    const stored = await store.get(path);
    if (await openSlot({ stored, path, family: config.family, secret, vaultHash })) names.push(slot.name);
  }
  return names;
}

/** The init entry does not tell it. */
export async function kdfOfSlot({ store, config }: Vault, { name, kdf }: Slot): Promise<number> {
  return kdf || parseSlot(await store.get(slotPath(name)), slotPath(name), config.family).kdf;
}
