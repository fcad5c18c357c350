import { createBlake3, isBlake3Native } from './crypto/blake3.ts';
import { constantKey, type VaultKeys } from './crypto/keys.ts';

export { isBlake3Native };

/** Bytes -> 32-byte id. Data blocks and map pages have separate keys, so neither can pass for the other (B1). */
export interface BlockHasher {
  data(block: Uint8Array): Uint8Array;
  page(page: Uint8Array): Uint8Array;
}

/** Zero blocks and pages are the caller's to recognise: they have the zero id and are never hashed. */
export function createBlockHasher(keys: VaultKeys): BlockHasher {
  const dataKey = constantKey(keys, 'id-data');
  const pageKey = constantKey(keys, 'id-page');
  const hash = (key: Uint8Array, bytes: Uint8Array): Uint8Array => {
    const hasher = createBlake3(key);
    hasher.update(bytes);
    return hasher.digest();
  };
  return { data: (block) => hash(dataKey, block), page: (page) => hash(pageKey, page) };
}
