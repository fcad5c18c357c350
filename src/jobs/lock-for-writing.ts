import { isError, VhdvaultError } from '../base/errors.ts';
import { settleInit } from '../vault/create-vault.ts';
import { type ItemLock, lockItem } from './item-lock.ts';
import type { VaultSession } from './session.ts';
import { settleEntries } from './settle-entries.ts';

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
    if (singleWriter) await settleEntries(vault, notice).catch(failedToWrite);
    if (vault.damage) throw vault.damage;
    await compare();
    return lock;
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
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
