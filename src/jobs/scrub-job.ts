import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { openThreadPool } from '../pool/thread-pool.ts';
import { openStore } from '../vault/open-store.ts';
import { scrubVault } from '../verify/scrub-vault.ts';
import type { ScrubOptions, ScrubResult } from './scrub-types.ts';
import { checkThreads } from './session.ts';

/**
 * Compares the names of packs, index segments and lists of a vault with their bytes, and the
 * entries of its log with each other: no key is needed,
 * and nothing is written. `address` is the path of its folder. What is wrong is returned, not thrown.
 * @throws USAGE, VAULT_MISSING, VAULT_NEWER, CANCELLED, IO
 */
export async function scrub(address: string, options: ScrubOptions = {}): Promise<ScrubResult> {
  const { signal, onProgress, threads = availableParallelism(), parts = {} } = options;
  throwIfAborted(signal);
  checkThreads(threads);
  const { clock = systemClock } = parts;
  const begun = clock.monotonic();
  const store = openStore(parts.store ?? { kind: 'folder', path: resolve(address) });
  await using pool = parts.pool ?? openThreadPool(threads);
  const { findings, ...checked } = await scrubVault({
    ...{ store, pool, signal },
    onBytes: (done, total) => onProgress?.({ phase: 'checking', done, total, disks: [] }),
  });
  return {
    ok: findings.every(({ severity }) => severity !== 'damage'),
    ...{ checked, findings },
    seconds: (clock.monotonic() - begun) / 1000,
  };
}
