import { toHex } from '../base/hex.ts';
import { blake3 } from './crypto/blake3.ts';
import { SLOT_SIZE } from './crypto/slot.ts';
import type { Store } from './open-store.ts';
import { type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';
import type { Slot } from './vault.ts';

export function slotPath(name: string): string {
  return `keys/${name}`;
}

/** Compares the file of a slot with what the log tells of it; undefined where all is right. */
export async function checkSlot(
  store: Store,
  { name, hash }: Pick<Slot, 'name' | 'hash'>,
): Promise<Trouble | undefined> {
  const path = slotPath(name);
  try {
    const size = await store.size(path);
    if (size !== SLOT_SIZE) return await wrongSize(store, path, size, `, a slot has ${SLOT_SIZE}`);
    if (toHex(blake3(await store.get(path))) === hash) return undefined;
    return wrongBytes('does not have the bytes that the log tells of');
  } catch (error) {
    return troubleOf(error, path);
  }
}
