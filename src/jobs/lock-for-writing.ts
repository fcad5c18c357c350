import { isError, VhdvaultError } from '../base/errors.ts';
import { findBadEntry, setAside } from '../repair/set-aside.ts';
import { settleInit } from '../vault/create-vault.ts';
import { logEntryPath, type Vault, writingPath } from '../vault/vault.ts';
import { type ItemLock, lockItem } from './item-lock.ts';
import type { VaultSession } from './session.ts';

/**
 * Locks what a command writes to: an item, or nothing where it works on none. A vault for a single writer is locked
 * whole, whatever is written.
 * @throws ITEM_LOCKED, VAULT_READ_ONLY, VAULT_DAMAGED, CANCELLED
 */
export async function lockForWriting(
  { vault, notice, compare }: VaultSession,
  item: string | undefined,
  signal: AbortSignal | undefined,
): Promise<ItemLock> {
  const { singleWriter } = vault.config;
  if (vault.damage && !singleWriter) throw vault.damage;
  // Before anything is written; behind a torn entry, below.
  if (!vault.damage) await compare();
  await settleInit(vault.store).catch(failedToWrite);
  if (item === undefined && !singleWriter) return NO_LOCK;
  const lock = await lockItem(vault, item ?? '', signal).catch(failedToWrite);
  try {
    if (singleWriter) await settleTornEntry(vault, notice).catch(failedToWrite);
    if (vault.damage) throw vault.damage;
    await compare();
    return lock;
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** An entry that its writer, who is dead, had not finished and told nobody of (L3). */
async function settleTornEntry(vault: Vault, notice: (text: string) => void): Promise<void> {
  await vault.refresh();
  const bad = await findBadEntry(vault);
  const signs = (await vault.store.list('staging')).filter((name) => name.startsWith('writing-'));
  if (bad && signs.some((name) => `staging/${name}` === writingPath(logEntryPath(bad.sequence)))) {
    await setAside(vault, bad);
    notice('an entry of the log that a killed run had not finished was moved aside');
  }
  // Behind damage of another kind the next run looks again.
  if (!vault.damage) for (const name of signs) await vault.store.remove(`staging/${name}`);
}

const NO_LOCK: ItemLock = {
  takenOver: undefined,
  isHeld: async () => true,
  [Symbol.asyncDispose]: async () => undefined,
};

/** Tells that the vault cannot be written where a write was not allowed. */
export function failedToWrite(error: unknown): never {
  if (!isError(error, 'NO_PERMISSION')) throw error;
  throw new VhdvaultError('VAULT_READ_ONLY', `the vault cannot be written: ${error.message}`, {
    hint: 'what only reads works on a read-only vault (points, show, diff, restore, verify, and what has --dry-run)',
    details: error.details,
    cause: error,
  });
}
