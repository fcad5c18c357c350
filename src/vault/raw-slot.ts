import { isError } from '../base/errors.ts';
import { slotPath } from './check-slot.ts';
import { parseSlot, SLOT_SIZE } from './crypto/slot.ts';
import type { Store } from './open-store.ts';
import { type CommonFacts, headerTrouble } from './raw-object.ts';
import { type Trouble, troubleOf, wrongSize } from './trouble.ts';

/** What is in clear of a key slot; `torn`: as a kill leaves it. undefined where nothing is wrong, or it is gone. */
export async function checkRawSlot(
  store: Store,
  name: string,
  facts: CommonFacts | undefined,
): Promise<(Trouble & { torn: boolean }) | undefined> {
  const path = slotPath(name);
  try {
    const size = await store.size(path);
    if (size === undefined) return undefined;
    if (size !== SLOT_SIZE)
      return { ...(await wrongSize(store, path, size, `, a slot has ${SLOT_SIZE}`)), torn: size < SLOT_SIZE };
    const stored = await store.get(path);
    const trouble = headerTrouble(stored, 'slot', path, facts);
    if (trouble) return { ...trouble, torn: false };
    if (facts) parseSlot(stored, path, facts.family);
    return undefined;
  } catch (error) {
    return isError(error, 'NOT_FOUND') ? undefined : { ...troubleOf(error, path), torn: false };
  }
}
