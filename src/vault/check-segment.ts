import { isError } from '../base/errors.ts';
import { openSegment, type SegmentEntry, type SegmentPack, segmentPath } from './block-index.ts';
import { hashObject } from './hash-object.ts';
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
    if ((await hashObject(store, path)) !== name) return 'does not have the bytes that its name tells';
    await using segment = await openSegment(store, keys, path);
    for await (const entries of segment.pages()) onPage(entries, segment.packs);
    return undefined;
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG', 'VAULT_NEWER', 'IO'))
      return error.message.replace(`${path} `, '');
    throw error;
  }
}
