import { absent } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { setAside } from '../repair/set-aside.ts';
import { writeObject } from '../vault/open-store.ts';
import { entryHash, isAuthenticEntry, logEntryPath, type Vault, writingPath } from '../vault/vault.ts';

const SIGN = /^writing-(\d{20})$/;

/**
 * In a vault for a single writer, under its lock: entries that dead writers had not finished, and told nobody of (L3). One that is whole
 * is made durable and counts from now on, one that is torn is moved aside.
 */
export async function settleEntries(vault: Vault, notice: (text: string) => void): Promise<void> {
  const { store } = vault;
  await vault.refresh();
  const signs = (await store.list('staging')).flatMap((name) => SIGN.exec(name)?.[1] ?? []);
  // A listing may leave out the one that matters.
  for (const sequence of new Set([vault.state.sequence + 1, ...signs.map(Number)])) {
    const sign = writingPath(logEntryPath(sequence));
    if ((await store.size(sign)) === undefined) continue;
    if (sequence === vault.state.sequence + 1) await settle(vault, sequence, notice);
    await store.remove(sign);
    await store.syncFolder('staging');
  }
  await vault.refresh();
}

async function settle(vault: Vault, sequence: number, notice: (text: string) => void): Promise<void> {
  const { store, keys, random } = vault;
  const path = logEntryPath(sequence);
  const stored = await store.get(path).catch(absent);
  if (!stored) return;
  if (isAuthenticEntry(keys, stored, sequence)) {
    const part = `staging/entry-${toHex(random.bytes(4))}`;
    await writeObject(store, part, stored);
    await store.rename(part, path);
    await store.syncFolder('log');
    return;
  }
  await setAside(vault, { sequence, hash: toHex(entryHash(stored)) });
  notice('an entry of the log that a killed run had not finished was moved aside');
}
