import type { Random } from '../base/random.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { LocationTable } from '../cache/location-table.ts';
import type { Codec } from '../vault/block-writer.ts';
import type { Store } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { BlockStore } from './block-store.ts';
import { Claims } from './claims.ts';
import type { ScanWrites } from './scan-input.ts';
import type { ScanMemory } from './scan-memory.ts';

/** The block store of one writer of a run: a worker's, or that of what the scan leaves to be stored. */
export async function openBlockStore(options: {
  store: Store;
  keys: VaultKeys;
  random: Random;
  codec: Codec;
  index: IndexAddress;
  memory: ScanMemory;
  writes: ScanWrites;
  kind: 'data' | 'page';
  /** Awaited before the first pack enters packs/: the job must be open in the log (J1). */
  beforePublish: () => Promise<void>;
}): Promise<BlockStore> {
  const { store, keys, random, codec, index, memory, writes, kind, beforePublish } = options;
  const { job, folder, run, overlay } = writes;
  await using opened = new AsyncDisposableStack();
  const blocks = new BlockStore({
    overlay: opened.use(new LocationTable(overlay)),
    index: opened.use(await openIndex(index, store, keys)),
    claims: new Claims(memory.claims),
    reuse: memory.reuse,
    inOverlay: memory.inOverlay,
    published: memory.published,
    writer: { store, keys, random, job, codec, readBack: 'block', folder, run, kind, beforePublish },
  });
  opened.move();
  return blocks;
}
