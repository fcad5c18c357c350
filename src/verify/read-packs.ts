import { throwIfAborted } from '../base/abort.ts';
import type { LocationTable } from '../cache/location-table.ts';
import { createQueue } from '../pool/common-queue.ts';
import type { Pool } from '../pool/pool.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import { runOnAll } from '../pool/run-on-all.ts';
import type { Vault } from '../vault/vault.ts';
import { checkPacksTask } from './check-packs-task.ts';
import type { PackTrouble } from './pack-troubles.ts';

export interface ReadPacksOptions {
  vault: Vault;
  pool: Pool;
  /** File of `index`. */
  indexFile: string;
  index: LocationTable;
  packs: readonly { name: string; size: number }[];
  /** Of what is read of them. */
  limit: RateLimit | null;
  signal?: AbortSignal | undefined;
  onBytes?: ((done: number, total: number) => void) | undefined;
}

/** Reads and opens every byte of packs, on all threads; returns what is wrong. */
export async function readPacks(options: ReadPacksOptions): Promise<PackTrouble[]> {
  const { vault, pool, indexFile, index, limit, signal, onBytes } = options;
  const { store, keys, config } = vault;
  throwIfAborted(signal);
  index.indexByPack();
  const packs = options.packs.map(({ name, size }) => ({ name, size }));
  const total = packs.reduce((sum, { size }) => sum + size, 0);
  const queue = createQueue();
  const counters = new Float64Array(new SharedArrayBuffer(pool.threads * 8));
  const tick = (): void =>
    onBytes?.(
      counters.reduce((sum, bytes) => sum + bytes, 0),
      total,
    );
  tick();
  const found = await runOnAll({
    ...{ pool, task: checkPacksTask, queue, signal },
    input: { store: store.address, keys, blockSize: config.blockSize, index: indexFile, packs, queue, limit, counters },
    onTick: tick,
  });
  tick();
  return found.flat();
}
