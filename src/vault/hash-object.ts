import { toHex } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { createBlake3 } from './crypto/blake3.ts';
import type { Store } from './open-store.ts';

/**
 * BLAKE3-256 of an object's bytes, hex: what packs and segments are named by. `onPart` is called before each MiB, and may
 * throw: the caller's time is not the object's to take.
 */
export async function hashObject(store: Store, path: string, onPart?: () => void): Promise<string> {
  await using file = await store.open(path);
  const hash = createBlake3();
  const chunk = Buffer.allocUnsafe(MIB);
  for (let at = 0; at < file.size; at += MIB) {
    onPart?.();
    const part = chunk.subarray(0, Math.min(MIB, file.size - at));
    await file.read(at, part);
    hash.update(part);
  }
  return toHex(hash.digest());
}
