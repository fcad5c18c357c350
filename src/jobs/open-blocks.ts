import { openIndex, refreshIndexCache } from '../cache/index-cache.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import type { VaultSession } from './session.ts';

/** The vault's blocks by id, found through the local index; brings it and the session up to the log's newest entry. */
export async function openBlocks(session: VaultSession): Promise<PointBlocks> {
  const { vault, cache } = session;
  const { address, notice } = await refreshIndexCache(cache, vault);
  if (notice) session.notice(notice);
  const { store, keys, config } = vault;
  const index = await openIndex(address, store, keys);
  return new PointBlocks({ store, keys, blockSize: config.blockSize, index });
}
