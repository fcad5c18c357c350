import { isError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { letGo } from '../base/let-go.ts';
import { MIB } from '../base/units.ts';
import { createBlockHasher } from './block-ids.ts';
import type { VaultKeys } from './crypto/keys.ts';
import { hashObject } from './hash-object.ts';
import type { Store } from './open-store.ts';
import type { DirectoryEntry } from './pack/directory.ts';
import { FRAME_KINDS } from './pack/frame.ts';
import { openPack, type PackReader, packPath } from './pack/pack-reader.ts';

/** Of a map page (FORMAT.md). */
const PAGE_LENGTH = 8192;

/** What is wrong with a pack, in words, and which ids cannot be read from it. */
export interface PackCheck {
  found: string[];
  badIds: Uint8Array[] | 'all';
}

/** Where the index says that a block lies in the pack. */
export type IndexedFrame = Pick<DirectoryEntry, 'id' | 'offset' | 'storedLength' | 'codec' | 'kind'> & {
  ordinal: number;
};

/**
 * Reads every byte of a pack: its name against the hash of its bytes, its directory, every frame and every id, and what
 * the index says of it against what it holds.
 */
export async function checkPack(options: {
  store: Store;
  keys: VaultKeys;
  name: string;
  size: number;
  blockSize: number;
  indexed: readonly IndexedFrame[];
}): Promise<PackCheck> {
  const { store, keys, name, size, blockSize, indexed } = options;
  const path = packPath(name);
  try {
    await using pack = await openPack(store, keys, path);
    if (pack.size !== size) return { found: [`is ${pack.size} bytes long, expected ${size}`], badIds: 'all' };
    const hash = await hashObject(store, path);
    const directory = await pack.directory();
    const unreadable = await checkFrames(pack, directory, keys);
    const misplaced = indexed.filter((frame) => !isAt(directory[frame.ordinal], frame, blockSize)).map(({ id }) => id);
    const found: string[] = [];
    if (unreadable.length > 0) found.push(`has ${unreadable.length} of ${directory.length} blocks that cannot be read`);
    if (misplaced.length > 0) found.push(`does not hold ${misplaced.length} blocks where the index says`);
    if (hash !== name) found.push('does not have the bytes that its name tells');
    return { found, badIds: [...unreadable, ...misplaced] };
  } catch (error) {
    // An I/O error is told like damage and decides nothing: the next try may read it.
    if (!isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG', 'VAULT_NEWER', 'IO')) throw error;
    return { found: [error.message.replace(`${path} `, '')], badIds: 'all' };
  }
}

function isAt(entry: DirectoryEntry | undefined, frame: IndexedFrame, blockSize: number): boolean {
  const rawLength = frame.kind === FRAME_KINDS.data ? blockSize : PAGE_LENGTH;
  return (
    entry !== undefined &&
    equalBytes(entry.id, frame.id) &&
    entry.offset === frame.offset &&
    entry.storedLength === frame.storedLength &&
    entry.codec === frame.codec &&
    entry.kind === frame.kind &&
    entry.rawLength === rawLength
  );
}

async function checkFrames(
  pack: PackReader,
  directory: readonly DirectoryEntry[],
  keys: VaultKeys,
): Promise<Uint8Array[]> {
  const hasher = createBlockHasher(keys);
  const bad: Uint8Array[] = [];
  let opened = 0;
  for (const [ordinal, entry] of directory.entries()) {
    opened += entry.rawLength;
    if (opened > MIB) {
      letGo();
      opened = 0;
    }
    const stored = Buffer.allocUnsafe(entry.storedLength);
    await pack.readRange(entry.offset, stored);
    try {
      const raw = pack.openFrame({ ...entry, ordinal }, stored);
      const id = entry.kind === FRAME_KINDS.data ? hasher.data(raw) : hasher.page(raw);
      if (!equalBytes(id, entry.id)) bad.push(entry.id);
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED')) throw error;
      bad.push(entry.id);
    }
  }
  return bad;
}
