import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { findSlot } from '../vault/find-slot.ts';
import {
  addSlot,
  changeSlot,
  type KeyChange,
  type ListedSlot,
  listSlots,
  type NewKey,
  removeSlot,
} from '../vault/key-slots.ts';
import { openedBy } from '../vault/slot-file.ts';
import { slotNames } from '../vault/slots-to-try.ts';
import type {
  AddKeyOptions,
  ChangeKeyOptions,
  KeyChangeResult,
  KeySlot,
  KeysResult,
  RemoveKeyOptions,
} from './key-types.ts';
import { failedToWrite, lockForWriting } from './lock-for-writing.ts';
import { readSecret, secretOf } from './read-secret.ts';
import type { VaultSession } from './session.ts';

const KINDS: Readonly<Record<number, KeySlot['kind']>> = { 1: 'passphrase', 2: 'key-file' };

/**
 * Lists the key slots of a vault, and what else lies among their files.
 * @throws VAULT_KEY_REFUSED where the vault is not encrypted, CANCELLED, IO
 */
export async function listKeys(session: VaultSession, { signal }: Cancellable = {}): Promise<KeysResult> {
  throwIfAborted(signal);
  const { slots, unlisted } = await listSlots(session.vault);
  return { slots: slots.map(slotOf), unlisted, warnings: warningsOf(session, slots, unlisted) };
}

/**
 * Adds a key slot: from now on its passphrase or key file opens the vault too. It is durable, and was opened once, before
 * it counts.
 * @throws VAULT_KEY_MISSING, VAULT_KEY_REFUSED, VAULT_KEY_WRONG when the slot that opened the session was removed, USAGE,
 * VAULT_READ_ONLY, VAULT_DAMAGED, ITEM_LOCKED, OUTCOME_UNKNOWN, NO_SPACE, CANCELLED, NOT_FOUND, NO_PERMISSION, IO
 */
export async function addKey(session: VaultSession, options: AddKeyOptions): Promise<KeyChangeResult> {
  const key = await newKey(session, options);
  return await change(session, options, () => addSlot(session.vault, key));
}

/**
 * Puts a new passphrase or key file in the place of the one that opened the session, or of another slot. At a crash the
 * old one opens the vault, or the new one. The old one opens nothing any more afterwards; but whoever used it before may
 * have kept the master key, which stays the same.
 * @throws as addKey, and NO_SUCH_SLOT
 */
export async function changeKey(session: VaultSession, options: ChangeKeyOptions): Promise<KeyChangeResult> {
  const { vault, secret } = session;
  const { slot } = options;
  const key = await newKey(session, options);
  const old = slot === undefined && secret ? { secret } : { slot: slot ?? '' };
  const result = await change(session, options, () => changeSlot(vault, key, old));
  if (vault.slot === result.added) session.secret = key.secret;
  return result;
}

/**
 * Removes a key slot, by name, label or beginning of its name, but never the last one that opens the vault; or, by its
 * name, a file among the slots that the log does not list.
 * @throws as addKey, NO_SUCH_SLOT, and VAULT_KEY_REFUSED for the last slot, and without `force` for what opened the session
 */
export async function removeKey(
  session: VaultSession,
  slot: string,
  options: RemoveKeyOptions = {},
): Promise<KeyChangeResult> {
  return await change(session, options, async () => {
    if (!options.force) await checkNotOwn(session, slot);
    return await removeSlot(session.vault, slot);
  });
}

/** Who removes what opened the vault now may find that nobody has the other secret any more. */
async function checkNotOwn({ vault, secret }: VaultSession, word: string): Promise<void> {
  const { slots } = vault.state;
  const own = findSlot(slots, word);
  if (slots.length === 1 || !own || own.name !== vault.slot || !secret) return;
  if ((await openedBy(vault, secret)).some((name) => name !== own.name)) return;
  throw new VhdvaultError('VAULT_KEY_REFUSED', `${own.name} is the key slot that opened the vault now`, {
    hint: 'open the vault by another passphrase or key file to remove it, which shows that you have one; or use `vhdvault key change`; --force removes it all the same',
    details: { slot: own.name },
  });
}

async function newKey({ kdf }: VaultSession, options: AddKeyOptions): Promise<NewKey> {
  throwIfAborted(options.signal);
  const secret = secretOf(options);
  if (!secret) {
    throw new VhdvaultError('VAULT_KEY_MISSING', 'no new passphrase or key file was given', {
      hint: 'give `passphrase` or `keyFile`',
    });
  }
  const { label } = options;
  return { secret: await readSecret(secret), ...(label !== undefined && { label }), ...(kdf && { kdf }) };
}

/** It can be cancelled until it writes. */
async function change(
  session: VaultSession,
  { signal }: Cancellable,
  work: () => Promise<KeyChange>,
): Promise<KeyChangeResult> {
  throwIfAborted(signal);
  const own = session.vault.slot ?? '';
  await using lock = await lockForWriting(session, undefined, signal);
  if (lock.takenOver) session.notice(lock.takenOver);
  throwIfAborted(signal);
  const done = await work().catch(failedToWrite);
  // From now on this user notices when somebody puts the vault back to where the old secret opened it.
  await session.rememberHead();
  const { added = null, removed } = done;
  return { added, removed, ...(await listAfter(session, done)), notices: await noticesOf(session, done, own) };
}

/** The change is done: nothing that is told besides makes it fail. */
async function listAfter(session: VaultSession, { left }: KeyChange): Promise<KeysResult> {
  const told = left.map(leftText);
  try {
    const { slots, unlisted } = await listSlots(session.vault);
    const others = unlisted.filter((name) => left.every((one) => one.name !== name));
    return { slots: slots.map(slotOf), unlisted, warnings: [...told, ...warningsOf(session, slots, others)] };
  } catch (error) {
    if (!isError(error)) throw error;
    return { slots: [], unlisted: [], warnings: [...told, `the slots cannot be listed: ${error.message}`] };
  }
}

function leftText({ name, why }: KeyChange['left'][number]): string {
  return `the slot ${name} opens nothing any more, but its file could not be removed (${why}); vhdvault key remove ${name} tries it again`;
}

function slotOf({ name, kdf, label, added, opened, trouble }: ListedSlot): KeySlot {
  const kind = KINDS[kdf] ?? 'unknown';
  return { name, kind, label, added: new Date(added).toISOString(), opened, file: fileState(trouble) };
}

function fileState(trouble: ListedSlot['trouble']): KeySlot['file'] {
  if (!trouble) return 'there';
  if (trouble.unread !== null) return 'unreadable';
  return trouble.what === 'is missing' ? 'missing' : 'changed';
}

function warningsOf({ vault }: VaultSession, slots: readonly ListedSlot[], unlisted: readonly string[]): string[] {
  const warnings: string[] = [];
  if (vault.damage)
    warnings.push(`${vault.damage.message}: which slots are listed behind it cannot be told, and none can be changed`);
  for (const { name, trouble } of slots) {
    if (!trouble) continue;
    const cure = trouble.unread ?? 'bring the file back from a copy of the vault, or remove the slot and add it again';
    warnings.push(`keys/${name} ${trouble.what}: nothing is opened by this slot; ${cure}`);
  }
  if (vault.damage) return warnings;
  for (const name of slotNames(unlisted)) {
    warnings.push(
      `keys/${name} is no key slot of this vault: a change that was interrupted left it, or somebody put an old one back; vhdvault key remove ${name} takes it away`,
    );
  }
  return warnings;
}

async function noticesOf(session: VaultSession, done: KeyChange, own: string): Promise<string[]> {
  const { added, removed, sameAs, moved } = done;
  const notices = sameAs.map((name) =>
    removed.includes(name)
      ? 'the new secret is the same as the old one'
      : `the slot ${name} is opened by the same secret`,
  );
  if (removed.includes(own) && added === undefined) notices.push(await goneText(session));
  if (moved !== undefined) notices.push(`its file lies in ${moved} now: nothing opens it there, and it can be deleted`);
  else if (removed.length > 0) notices.push(KEPT);
  return notices;
}

const KEPT =
  'who used what was removed may have kept the master key, which stays as it is: if it leaked, make a new vault (SECURITY.md)';

/** Removed was what opened this session: another slot may have the same secret. */
async function goneText({ vault, secret }: VaultSession): Promise<string> {
  const others = secret ? await openedBy(vault, secret).catch(() => []) : [];
  return others.length > 0
    ? `the same secret goes on opening the vault by ${others.join(', ')}`
    : 'what opened the vault now opens it no more: from now on use another passphrase or key file';
}
