import { throwIfAborted } from '../base/abort.ts';
import type { LocationTable, PackRow } from '../cache/location-table.ts';
import { packPath } from '../vault/block-writer.ts';
import { checkPack, covers, type Frames, inBoth } from '../vault/check-pack.ts';
import type { Vault } from '../vault/vault.ts';

/** A pack to quarantine, and which of its frames are lost. */
export interface BadPack {
  pack: string;
  frames: Frames;
  /** In words. */
  what: string;
}

/**
 * Looks at packs again that were found damaged, twice: only what has wrong bytes both times is (D6), never what could not be
 * read, and never what is right the second time. `index`: what the vault's segments tell. `hasGone`: asked for a pack that is
 * missing; it may have gone by right.
 */
export async function confirmPacks(options: {
  vault: Vault;
  index: LocationTable;
  suspects: readonly string[];
  hasGone: (pack: string) => boolean;
  signal?: AbortSignal | undefined;
}): Promise<BadPack[]> {
  const { vault, index, suspects, hasGone, signal } = options;
  const rows = new Map(index.packs().map((row) => [row.name, row]));
  const bad: BadPack[] = [];
  for (const name of suspects) {
    throwIfAborted(signal);
    const row = rows.get(name);
    if (!row) continue;
    if ((await vault.store.size(packPath(name))) === undefined) {
      await vault.refreshWhole();
      if (!hasGone(name) && !isKnown(vault, name, 'all')) bad.push({ pack: name, frames: 'all', what: 'is missing' });
      continue;
    }
    const found = await wrongTwice(vault, index, row);
    if (found && !isKnown(vault, name, found.frames)) bad.push({ pack: name, ...found });
  }
  return bad;
}

async function wrongTwice(
  vault: Vault,
  index: LocationTable,
  { name, size }: PackRow,
): Promise<Omit<BadPack, 'pack'> | undefined> {
  const { store, keys, config } = vault;
  const indexed = index.rowsOf(name);
  let frames: Frames = 'all';
  let what = '';
  for (let look = 1; look <= 2; look++) {
    const { troubles, wrong } = await checkPack({ store, keys, name, size, blockSize: config.blockSize, indexed });
    const trouble = troubles.find(({ unread }) => unread === null);
    if (!trouble) return undefined;
    what = trouble.what;
    frames = inBoth(frames, wrong);
  }
  return { frames, what };
}

/** It is quarantined for all of this already. */
function isKnown({ state }: Vault, pack: string, frames: Frames): boolean {
  return covers(state.quarantined.get(pack)?.frames, frames);
}
