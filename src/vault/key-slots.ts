import { isError, VhdvaultError } from '../base/errors.ts';
import { checkSlot, slotPath } from './check-slot.ts';
import { checkSecret } from './crypto/slot.ts';
import { checkLabel, findSlot, noSuchSlot } from './find-slot.ts';
import {
  dropFiles,
  kdfOfSlot,
  keepFile,
  type Left,
  moveUnlisted,
  type NewKey,
  openedBy,
  type WrittenSlot,
  writeSlot,
} from './slot-file.ts';
import { slotNames } from './slots-to-try.ts';
import type { Trouble } from './trouble.ts';
import type { SecretBytes, Slot, Vault, VaultState } from './vault.ts';

export type { NewKey } from './slot-file.ts';

/** What opening tries, and what a `key` entry lists, stays small. */
const MOST_SLOTS = 64;

/** A slot that the log lists. */
export interface ListedSlot extends Slot {
  /** It opened this vault. */
  opened: boolean;
  /** What is wrong with its file. */
  trouble: Trouble | undefined;
}

/** What became of the slots. */
export interface KeyChange {
  added?: string;
  removed: string[];
  /** Listed slots that the new secret opened before. */
  sameAs: string[];
  /** Files of what was removed that are there still, and why. */
  left: Left[];
  /** Where the file of a slot that was never listed lies now. */
  moved?: string;
}

/** The slots that the log lists, oldest first, and what else lies in keys/. Writes nothing. */
export async function listSlots(vault: Vault): Promise<{ slots: ListedSlot[]; unlisted: string[] }> {
  checkEncrypted(vault);
  const { store, state } = vault;
  const slots: ListedSlot[] = [];
  for (const slot of state.slots) {
    const trouble = await checkSlot(store, slot);
    const kdf = trouble ? slot.kdf : await kdfOfSlot(vault, slot);
    slots.push({ ...slot, kdf, trouble, opened: slot.name === vault.slot });
  }
  return { slots, unlisted: await unlistedFiles(vault) };
}

/**
 * Adds a slot. Its file is durable, and was opened with the new secret, before the log lists it.
 * @throws VAULT_KEY_REFUSED, VAULT_KEY_WRONG, VAULT_DAMAGED, USAGE, OUTCOME_UNKNOWN
 */
export async function addSlot(vault: Vault, key: NewKey): Promise<KeyChange> {
  await checkChangeable(vault);
  checkSecret(key.secret);
  const sameAs = await openedBy(vault, key.secret);
  const fresh = await writeSlot(vault, key, key.label ?? '');
  await commit(vault, { fresh, gone: [] });
  return { added: fresh.name, removed: [], sameAs, left: [] };
}

/**
 * Puts a new slot in the place of one, or of all that a secret opens: one entry lists the new one and no more the old ones,
 * so a crash leaves the one or the other. The old files go last.
 * @throws VAULT_KEY_REFUSED, VAULT_KEY_WRONG, VAULT_DAMAGED, NO_SUCH_SLOT, USAGE, OUTCOME_UNKNOWN
 */
export async function changeSlot(
  vault: Vault,
  key: NewKey,
  old: { slot: string } | { secret: SecretBytes },
): Promise<KeyChange> {
  await checkChangeable(vault);
  checkSecret(key.secret);
  const slot = findListed(vault, 'slot' in old ? old.slot : (vault.slot ?? ''));
  // Another slot of the same secret would leave the old one in force.
  const gone = 'slot' in old ? [slot.name] : [...new Set([slot.name, ...(await openedBy(vault, old.secret))])];
  const sameAs = await openedBy(vault, key.secret);
  const fresh = await writeSlot(vault, key, key.label ?? slot.label);
  await commit(vault, { fresh, gone });
  if (gone.includes(vault.slot ?? '')) vault.slot = fresh.name;
  return { added: fresh.name, removed: gone, sameAs, left: await dropFiles(vault, gone) };
}

/**
 * Removes a slot, by name, label or beginning of its name; moves a file of keys/ away that looks like one and is not listed.
 * @throws VAULT_KEY_REFUSED for the last slot that opens, VAULT_KEY_WRONG, VAULT_DAMAGED, NO_SUCH_SLOT, USAGE, OUTCOME_UNKNOWN
 */
export async function removeSlot(vault: Vault, word: string): Promise<KeyChange> {
  await checkChangeable(vault);
  const listed = findSlot(vault.state.slots, word)?.name;
  if (listed === undefined) return await removeUnlisted(vault, await findUnlisted(vault, word));
  await commit(vault, { gone: [listed] });
  return { removed: [listed], sameAs: [], left: await dropFiles(vault, [listed]) };
}

interface Change {
  fresh?: WrittenSlot;
  /** Names. */
  gone: readonly string[];
}

/** The list is made from the state at n-1, at every attempt: of two changes at once none is lost. */
async function commit(vault: Vault, change: Change): Promise<void> {
  const { fresh } = change;
  let isTold = false;
  try {
    await vault.commit(async (state) => {
      isTold = false;
      const slots = await slotsAfter(vault, state, change);
      isTold = true;
      return { type: 'key', slots };
    });
  } catch (error) {
    // Once an entry was on its way, nobody knows for sure that it did not arrive: a file too many does no harm.
    if (fresh && !isTold) await vault.store.remove(slotPath(fresh.name)).catch(() => undefined);
    throw isError(error, 'OUTCOME_UNKNOWN') ? outcomeUnknown(error) : error;
  }
  if (fresh) await keepFile(vault, fresh);
}

async function slotsAfter(vault: Vault, state: VaultState, { fresh, gone }: Change): Promise<Slot[]> {
  checkOpener(vault, state);
  const removed = gone[0];
  if (removed !== undefined && !state.slots.some(({ name }) => name === removed)) throw noSuchSlot(removed);
  const rest: Slot[] = [];
  let whole = 0;
  for (const slot of state.slots.filter(({ name }) => !gone.includes(name))) {
    const isWhole = !(await checkSlot(vault.store, slot));
    if (isWhole) whole++;
    rest.push(isWhole ? { ...slot, kdf: await kdfOfSlot(vault, slot) } : slot);
  }
  if (!fresh) {
    if (whole === 0) throw lastOne(removed ?? '');
    return rest;
  }
  checkLabel(rest, fresh.label);
  if (rest.length >= MOST_SLOTS) throw tooMany();
  const trouble = await checkSlot(vault.store, fresh);
  if (trouble) throw tookAway(fresh.name, trouble);
  const { name, hash, kdf, label } = fresh;
  return [...rest, { name, hash, kdf, added: Math.max(vault.clock.now(), state.time), label }];
}

function findListed({ state }: Vault, word: string): Slot {
  const found = findSlot(state.slots, word);
  if (!found) throw noSuchSlot(word);
  return found;
}

/** @throws NO_SUCH_SLOT where another run lists it in this moment */
async function removeUnlisted(vault: Vault, name: string): Promise<KeyChange> {
  const moved = await moveUnlisted(vault, name);
  if (moved !== undefined) return { removed: [name], sameAs: [], left: [], moved };
  throw new VhdvaultError('NO_SUCH_SLOT', `${name} is a key slot of this vault since a moment: it was not removed`, {
    hint: 'see `vhdvault key list`',
    details: { slot: name },
  });
}

async function findUnlisted(vault: Vault, word: string): Promise<string> {
  const names = slotNames(await unlistedFiles(vault));
  const found = findSlot(
    names.map((name) => ({ name, label: '' })),
    word,
  );
  if (!found) throw noSuchSlot(word);
  return found.name;
}

async function unlistedFiles({ store, state }: Vault): Promise<string[]> {
  const listed = new Set(state.slots.map(({ name }) => name));
  return (await store.list('keys')).filter((name) => !listed.has(name));
}

function checkEncrypted({ config }: Vault): void {
  if (config.encrypted) return;
  throw new VhdvaultError('VAULT_KEY_REFUSED', 'this vault is not encrypted: it has no keys', {
    hint: 'that was chosen by `init --unencrypted`, for good; for an encrypted one make a new vault',
  });
}

async function checkChangeable(vault: Vault): Promise<void> {
  checkEncrypted(vault);
  // Behind damage nobody knows which slots are listed.
  await vault.refreshWhole();
  checkOpener(vault, vault.state);
}

/** Whoever lost the right to open the vault changes nothing any more. */
function checkOpener({ slot }: Vault, { slots }: VaultState): void {
  if (slots.some(({ name }) => name === slot)) return;
  throw new VhdvaultError('VAULT_KEY_WRONG', 'the key slot that opened this vault was removed meanwhile', {
    hint: 'nothing was changed; open the vault again with a current passphrase or key file',
  });
}

function lastOne(name: string): VhdvaultError {
  return new VhdvaultError('VAULT_KEY_REFUSED', `${name} is the last key slot that opens this vault`, {
    hint: 'without it nobody could read the vault again: add another one first, or use `vhdvault key change`',
    details: { slot: name },
  });
}

function tooMany(): VhdvaultError {
  return new VhdvaultError('VAULT_KEY_REFUSED', `this vault has ${MOST_SLOTS} key slots, as many as it may have`, {
    hint: 'remove one that is not needed any more: `vhdvault key list`, `vhdvault key remove SLOT`',
  });
}

function tookAway(name: string, { what }: Trouble): VhdvaultError {
  return new VhdvaultError('IO', `${slotPath(name)} ${what}, before the log could list it`, {
    hint: 'nothing was changed; run the command again',
    details: { path: slotPath(name) },
  });
}

function outcomeUnknown(cause: VhdvaultError): VhdvaultError {
  return new VhdvaultError('OUTCOME_UNKNOWN', cause.message, {
    hint: 'keep both secrets, look at the disk of the vault, then run `vhdvault key list` with the new and with the old one: it tells which slots open the vault',
    details: cause.details,
    cause,
  });
}
