import { toHex } from '../base/hex.ts';
import { HEADER_SIZE, type ObjectKind, parseObjectHeader } from './codec/object-header.ts';
import type { Store } from './open-store.ts';
import { troubleOf } from './trouble.ts';

/** The job that an object's header tells of, hex: no key is needed for it. undefined where there is no such header. */
export async function ownerOf(store: Store, path: string, kind: ObjectKind): Promise<string | undefined> {
  try {
    if (((await store.size(path)) ?? 0) < HEADER_SIZE) return undefined;
    await using file = await store.open(path);
    const header = new Uint8Array(HEADER_SIZE);
    await file.read(0, header);
    return toHex(parseObjectHeader(header, kind, path).job);
  } catch (error) {
    // It may go in this moment, or be no file.
    troubleOf(error, path);
    return undefined;
  }
}
