import { absent, isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { slotPath } from './check-slot.ts';
import { BRING_BACK, damaged } from './codec/object-header.ts';
import type { VaultConfig } from './config.ts';
import { blake3 } from './crypto/blake3.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { checkSecret, openSlot, parseSlot, type SecretBytes, SLOT_SIZE } from './crypto/slot.ts';
import { decodeEntry, logPath } from './log/entry.ts';
import type { Store } from './open-store.ts';
import { type SlotFile, slotNames, slotsToTry } from './slots-to-try.ts';
import { wrongSize } from './trouble.ts';

interface LockedVault {
  store: Store;
  config: VaultConfig;
  vaultHash: Uint8Array;
  /** Called when this thread waits for a key to be derived from a passphrase, for each slot. */
  meanwhile?: (() => void) | undefined;
}

/** More files in keys/ are not looked at: four times as many as a vault may have slots. */
const MOST_FILES = 256;

/** What a secret opened, in an encrypted vault: the name of the slot, and BLAKE3 of its bytes, hex. */
export interface OpenedSlot {
  name: string;
  hash: string;
}

/**
 * Secret -> keys, checked against entry 1, and what `open` makes of them; it is to throw VAULT_KEY_WRONG for a slot that
 * the log does not list.
 * @throws VAULT_DAMAGED, VAULT_NEWER, VAULT_KEY_MISSING, VAULT_KEY_WRONG, VAULT_KEY_REFUSED, and what `open` throws
 */
export async function unlock<T>(
  vault: LockedVault,
  secret: SecretBytes | undefined,
  open: (keys: VaultKeys, slot: OpenedSlot | undefined) => Promise<T>,
): Promise<T> {
  if (vault.config.encrypted) return await unlockEncrypted(vault, secret, open);
  if (secret) {
    throw new VhdvaultError(
      'VAULT_KEY_REFUSED',
      'this vault is not encrypted, yet a passphrase or key file was given',
      {
        hint: 'if it should be encrypted, somebody may have put another vault in its place; else run without the passphrase',
      },
    );
  }
  const { family, publicKey } = vault.config;
  const keys: VaultKeys = { family, master: publicKey as Uint8Array, encrypted: false };
  await checkInit(vault, keys);
  return await open(keys, undefined);
}

/** Tries one slot after the other: a stranger's file or a damaged slot must not lock out who has another (E4). */
async function unlockEncrypted<T>(
  vault: LockedVault,
  secret: SecretBytes | undefined,
  open: (keys: VaultKeys, slot: OpenedSlot) => Promise<T>,
): Promise<T> {
  if (!secret) {
    throw new VhdvaultError('VAULT_KEY_MISSING', 'this vault is encrypted and no passphrase or key file was given', {
      hint: 'use --passphrase-file FILE, VHDVAULT_PASSPHRASE_FILE, VHDVAULT_PASSPHRASE, --key-file FILE or VHDVAULT_KEY_FILE',
    });
  }
  checkSecret(secret);
  const files = await readSlots(vault);
  let { problem } = files;
  const tried = slotsToTry(files.slots);
  for (const { name, stored } of tried) {
    let opened: { keys: VaultKeys; slot: OpenedSlot } | undefined;
    try {
      opened = await openKeys(vault, name, stored, secret);
      if (!opened) continue;
      await checkInit(vault, opened.keys);
      return await open(opened.keys, opened.slot);
    } catch (error) {
      if (!isError(error, ...OF_ONE_SLOT)) throw error;
      // What is wrong behind a slot that opened tells more than what is wrong with another file.
      if (opened) problem = error;
      else problem ??= ofSlot(error);
    }
  }
  if (problem) throw problem;
  if (files.slots.length === 0) throw noSlots();
  throw keyWrong(secret, tried.length, files.slots.length + files.passedOver - tried.length);
}

/** A slot holds the master key: what is told of other damage, to look with `verify`, would lead in a circle. */
function ofSlot(error: VhdvaultError): VhdvaultError {
  if (error.code !== 'VAULT_DAMAGED') return error;
  return new VhdvaultError('VAULT_DAMAGED', error.message, {
    hint: 'the passphrase or key file of another slot opens the vault still, if there is one (check it for a typing error); else bring keys/ and vault.json back from another copy of this vault',
    details: error.details,
  });
}

function noSlots(): VhdvaultError {
  return new VhdvaultError('VAULT_DAMAGED', 'keys/ holds no key slot: its files are gone', {
    hint: 'bring keys/ back from another copy of this vault: without a slot no passphrase and no key file opens it',
    details: { path: 'keys' },
  });
}

function keyWrong(secret: SecretBytes, tried: number, untried: number): VhdvaultError {
  const what = 'passphrase' in secret ? 'passphrase' : 'key file';
  const others = untried > 0 ? `; ${untried} more files in keys/ were not tried` : '';
  return new VhdvaultError(
    'VAULT_KEY_WRONG',
    `the ${what} ${tried === 1 && untried === 0 ? 'does not open the only key slot' : `opens none of the ${tried} key slots`} of this vault${others}`,
    {
      hint:
        untried > 0
          ? 'a vault has at most 64 slots, and they ask for little work: somebody put files into keys/, compare it with another copy of the vault'
          : 'passphrase' in secret
            ? 'check for a typing error, the keyboard layout, and that it belongs to this vault'
            : 'check that it belongs to this vault, and that it was copied whole',
    },
  );
}

const OF_ONE_SLOT = ['VAULT_DAMAGED', 'VAULT_NEWER', 'VAULT_KEY_WRONG', 'NOT_FOUND', 'NO_PERMISSION', 'IO'] as const;

interface SlotFiles {
  slots: SlotFile[];
  /** With the first one that is no slot. */
  problem: VhdvaultError | undefined;
  /** How many were not even read. */
  passedOver: number;
}

/** Files of keys/ that could be slots. */
async function readSlots({ store, config }: Pick<LockedVault, 'store' | 'config'>, retries = 3): Promise<SlotFiles> {
  const slots: SlotFile[] = [];
  const problems: VhdvaultError[] = [];
  const names = slotNames((await store.list('keys').catch(absent)) ?? []);
  for (const name of names.slice(0, MOST_FILES)) {
    try {
      const stored = await readSlot(store, slotPath(name));
      slots.push({ name, stored, ...parseSlot(stored, slotPath(name), config.family) });
    } catch (error) {
      if (!isError(error, ...OF_ONE_SLOT)) throw error;
      problems.push(ofSlot(error));
    }
  }
  // A key change makes the new one before it removes the old one: who missed both looks again.
  if (retries > 0 && (names.length === 0 || problems.some((problem) => isError(problem, 'NOT_FOUND'))))
    return await readSlots({ store, config }, retries - 1);
  const problem = problems.find((one) => !isError(one, 'NOT_FOUND'));
  return { slots, problem, passedOver: Math.max(0, names.length - MOST_FILES) };
}

/** The size is looked at first: what lies there may be of any size, and no file at all. */
async function readSlot(store: Store, path: string): Promise<Uint8Array> {
  const size = (await store.size(path)) ?? SLOT_SIZE;
  if (size !== SLOT_SIZE) throw damaged(path, (await wrongSize(store, path, size, `, a slot has ${SLOT_SIZE}`)).what);
  return await store.get(path);
}

/** undefined when the secret is not this slot's. */
async function openKeys(
  { config, vaultHash, meanwhile }: LockedVault,
  name: string,
  stored: Uint8Array,
  secret: SecretBytes,
): Promise<{ keys: VaultKeys; slot: OpenedSlot } | undefined> {
  const { family } = config;
  const master = await openSlot({ stored, path: slotPath(name), family, secret, vaultHash, meanwhile });
  return master && { keys: { family, master, encrypted: true }, slot: { name, hash: toHex(blake3(stored)) } };
}

/** Entry 1 repeats the hash of vault.json, so that it cannot be swapped for another one (E4). */
async function checkInit({ store, vaultHash }: LockedVault, keys: VaultKeys): Promise<void> {
  const stored = await store.get(logPath(1)).catch((error: unknown) => {
    throw isError(error, 'NOT_FOUND') ? damaged(logPath(1), 'is missing', BRING_BACK) : error;
  });
  const { body } = decodeEntry(keys, stored, 1, vaultHash);
  if (body.type !== 'init') throw damaged(logPath(1), 'is not the init entry', BRING_BACK);
}
