import { isError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { openSegment, type SegmentEntry, type SegmentPack, segmentPath } from './block-index.ts';
import { createBlake3 } from './crypto/blake3.ts';
import type { Adds, Vault } from './vault.ts';

/** Checks a segment whole and hands over what it holds; returns what is wrong with it. */
export async function checkSegment(
  vault: Vault,
  { segment: name, size }: Adds,
  onPage: (entries: SegmentEntry[], packs: readonly SegmentPack[]) => void,
): Promise<string | undefined> {
  const { store, keys } = vault;
  const path = segmentPath(name);
  try {
    const found = await store.size(path);
    if (found === undefined) return 'is missing';
    if (found !== size) return `is ${found} bytes long, expected ${size}`;
    if ((await hashOf(vault, path)) !== name) return 'does not have the bytes that its name tells';
    await using segment = await openSegment(store, keys, path);
    for await (const entries of segment.pages()) onPage(entries, segment.packs);
    return undefined;
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG', 'VAULT_NEWER')) return error.message.replace(`${path} `, '');
    throw error;
  }
}

async function hashOf({ store }: Vault, path: string): Promise<string> {
  await using file = await store.open(path);
  const hash = createBlake3();
  const chunk = Buffer.allocUnsafe(1024 * 1024);
  for (let at = 0; at < file.size; at += chunk.byteLength) {
    const part = chunk.subarray(0, Math.min(chunk.byteLength, file.size - at));
    await file.read(at, part);
    hash.update(part);
  }
  return toHex(hash.digest());
}
