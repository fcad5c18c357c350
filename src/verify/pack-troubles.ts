import type { LocationTable } from '../cache/location-table.ts';
import { packPath } from '../vault/block-writer.ts';
import type { Frames } from '../vault/check-pack.ts';
import { type Trouble, troubleOf, wrongSize } from '../vault/trouble.ts';
import type { Vault } from '../vault/vault.ts';

/** What is wrong with one pack, and which of its frames cannot be had for it. Plain data: workers send it. */
export interface PackTrouble {
  pack: string;
  trouble: Trouble;
  lost: Frames;
}

/** Shorter, not even its header is there. */
const LEAST = 96;

/** Whether a pack is there with its size: what is behind the end of one that was cut is lost. */
export async function checkSize(
  { store }: Vault,
  index: LocationTable,
  { name, size }: { name: string; size: number },
): Promise<PackTrouble | undefined> {
  const path = packPath(name);
  try {
    const found = await store.size(path);
    if (found === size) return undefined;
    const trouble = await wrongSize(store, path, found, `, expected ${size}`);
    if (found === undefined || found < LEAST) return { pack: name, trouble, lost: 'all' };
    index.indexByPack();
    const beyond = index.rowsOf(name).filter(({ offset, storedLength }) => offset + storedLength > found);
    return { pack: name, trouble, lost: beyond.map(({ ordinal }) => ordinal) };
  } catch (error) {
    return { pack: name, trouble: troubleOf(error, path), lost: 'all' };
  }
}
