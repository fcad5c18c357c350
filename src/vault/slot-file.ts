import { sha256 } from '@noble/hashes/sha2.js';
import { absent, isError, VhdvaultError } from '../base/errors.ts';
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

const MOST_TRIES = 3;

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
    await putSlot(vault, path, stored);
    const back = await store.get(path);
    const master = await openSlot({ stored: back, path, family: config.family, secret, vaultHash });
    if (!master || !equalBytes(master, keys.master)) {
      throw new VhdvaultError('IO', `${path} does not come back as it was written`, {
        hint: 'nothing was changed; look at the disk of the vault and at the memory of this machine',
        details: { path },
      });
    }
  } catch (error) {
    await store.remove(path).catch(() => undefined);
    throw error;
  }
  return { name, hash: toHex(blake3(stored)), kdf: kdfOf(secret), label, stored };
}

/** Somebody may have taken the file for a leftover before the log listed it. */
export async function keepFile(vault: Vault, fresh: WrittenSlot): Promise<void> {
  const trouble = await checkSlot(vault.store, fresh);
  if (trouble && trouble.unread === null) await putSlot(vault, slotPath(fresh.name), fresh.stored);
}

/** Whole or not at all: a torn one would be taken for damage by whoever has another secret. */
async function putSlot({ store, random }: Vault, path: string, stored: Uint8Array): Promise<void> {
  for (let tries = 1; ; tries++) {
    const part = `staging/slot-${toHex(random.bytes(4))}`;
    try {
      await writeObject(store, part, stored);
      await store.rename(part, path);
      await store.syncFolder('keys');
      return;
    } catch (error) {
      await store.remove(part).catch(() => undefined);
      // Somebody who tidied up took it for a dead run's: once more.
      if (tries === MOST_TRIES || !isError(error, 'NOT_FOUND')) throw error;
    }
  }
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

/**
 * Moves a file away that looks like a slot and is not listed. Whoever is about to list it looks for it afterwards (`keepFile`), and
 * who listed it in this moment gets it back: nobody may lose his only way in. Returns where to; undefined: it is listed.
 */
export async function moveUnlisted(vault: Vault, name: string): Promise<string | undefined> {
  const { store } = vault;
  const aside = `quarantine/slot-${name}`;
  await store.makeFolder('quarantine');
  await store.rename(slotPath(name), aside);
  for (const folder of ['quarantine', 'keys']) await store.syncFolder(folder);
  let isListed = true;
  try {
    await vault.refreshWhole();
    isListed = vault.state.slots.some((slot) => slot.name === name);
  } finally {
    // Also where nobody can tell.
    if (isListed) {
      await store.rename(aside, slotPath(name));
      await store.syncFolder('keys');
    }
  }
  return isListed ? undefined : aside;
}

/** Names of the listed slots that a secret opens. */
export async function openedBy({ store, config, state }: Vault, secret: SecretBytes): Promise<string[]> {
  const vaultHash = sha256(encodeConfig(config));
  const names: string[] = [];
  for (const slot of state.slots) {
    // What the log does not tell of may ask for any work.
    if (await checkSlot(store, slot)) continue;
    const path = slotPath(slot.name);
    const stored = await store.get(path).catch(absent);
    if (stored && (await openSlot({ stored, path, family: config.family, secret, vaultHash }))) names.push(slot.name);
  }
  return names;
}

/** The init entry does not tell it. */
export async function kdfOfSlot({ store, config }: Vault, { name, kdf }: Slot): Promise<number> {
  if (kdf > 0) return kdf;
  const stored = await store.get(slotPath(name)).catch(absent);
  return stored ? parseSlot(stored, slotPath(name), config.family).kdf : kdf;
}
