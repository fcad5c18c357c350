import { isError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import { letGo } from '../base/let-go.ts';
import { MIB } from '../base/units.ts';
import { createBlockHasher } from './block-ids.ts';
import { createBlake3 } from './crypto/blake3.ts';
import type { VaultKeys } from './crypto/keys.ts';
import type { Store } from './open-store.ts';
import type { DirectoryEntry } from './pack/directory.ts';
import { FRAME_KINDS } from './pack/frame.ts';
import { openPack, type PackReader, packPath } from './pack/pack-reader.ts';

const CHUNK: number = MIB;

/** What is wrong with a pack, in words, and which ids cannot be read from it. */
export interface PackCheck {
  found: string[];
  badIds: Uint8Array[] | 'all';
}

/** Reads every byte of a pack: its name against the hash of its bytes, its directory, every frame and every id. */
export async function checkPack(options: {
  store: Store;
  keys: VaultKeys;
  name: string;
  size: number;
  blockSize: number;
}): Promise<PackCheck> {
  const { store, keys, name, size } = options;
  const path = packPath(name);
  try {
    await using pack = await openPack(store, keys, path);
    if (pack.size !== size) return { found: [`is ${pack.size} bytes long, expected ${size}`], badIds: 'all' };
    const hash = await hashOf(pack);
    const directory = await pack.directory();
    const badIds = await checkFrames(pack, directory, createBlockHasher(keys));
    const found = badIds.length > 0 ? [`has ${badIds.length} of ${directory.length} blocks that cannot be read`] : [];
    if (hash !== name) found.push('does not have the bytes that its name tells');
    return { found, badIds };
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_KEY_WRONG', 'VAULT_NEWER'))
      return { found: [error.message.replace(`${path} `, '')], badIds: 'all' };
    throw error;
  }
}

async function hashOf(pack: PackReader): Promise<string> {
  const hash = createBlake3();
  const chunk = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; at < pack.size; at += CHUNK) {
    const part = chunk.subarray(0, Math.min(CHUNK, pack.size - at));
    await pack.readRange(at, part);
    hash.update(part);
  }
  return toHex(hash.digest());
}

async function checkFrames(
  pack: PackReader,
  directory: readonly DirectoryEntry[],
  hasher: ReturnType<typeof createBlockHasher>,
): Promise<Uint8Array[]> {
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
