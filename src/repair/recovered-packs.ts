import { throwIfAborted } from '../base/abort.ts';
import type { LocationTable } from '../cache/location-table.ts';
import { checkPack, covers, type Frames, inBoth, inEither } from '../vault/check-pack.ts';
import type { Vault } from '../vault/vault.ts';

/** A quarantined pack of which more can be had than when it was quarantined: somebody brought its file back. */
export interface RecoveredPack {
  pack: string;
  before: Frames;
  /** Those that are bad still. */
  frames: Frames;
}

/**
 * Looks at all quarantined packs again, twice: a frame that is whole both times can be had again. The pack stays quarantined, so that
 * nothing new refers to it (J3). `index`: what the vault's segments tell.
 */
export async function findRecoveredPacks(options: {
  vault: Vault;
  index: LocationTable;
  signal?: AbortSignal | undefined;
}): Promise<RecoveredPack[]> {
  const { vault, index, signal } = options;
  const { store, keys, config, state } = vault;
  const found: RecoveredPack[] = [];
  for (const { name, size } of index.packs()) {
    const before = state.quarantined.get(name)?.frames ?? [];
    if (before.length === 0) continue;
    let frames: Frames = [];
    for (let look = 1; look <= 2; look++) {
      throwIfAborted(signal);
      const indexed = index.rowsOf(name);
      const { lost } = await checkPack({ store, keys, name, size, blockSize: config.blockSize, indexed });
      frames = inEither(frames, lost);
    }
    if (!covers(frames, before)) found.push({ pack: name, before, frames: inBoth(before, frames) });
  }
  return found;
}
