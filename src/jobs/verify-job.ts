import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { toHex } from '../base/hex.ts';
import { catalog, findPoint } from '../point/catalog.ts';
import { verifyVault } from '../verify/verify-vault.ts';
import type { VaultSession } from './session.ts';
import type { VerifyOptions, VerifyResult } from './verify-types.ts';

/**
 * Checks a vault, or one point of it; writes nothing to it and trusts no cache. What is wrong is returned, not thrown.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, CANCELLED, IO
 */
export async function verify(session: VaultSession, options: VerifyOptions = {}): Promise<VerifyResult> {
  const { vault, pool, cache } = session;
  const { ref, readData = false, signal, onProgress } = options;
  throwIfAborted(signal);
  const begun = vault.clock.monotonic();
  const points = ref === undefined ? catalog(vault) : [findPoint(vault, ref)];
  const index = join(cache, 'jobs', `verify-${toHex(vault.random.bytes(8))}.sqlite`);
  try {
    const onBytes = (done: number, total: number): void => onProgress?.({ phase: 'checking', done, total, disks: [] });
    const { findings, ...counts } = await verifyVault({ vault, pool, index, points, readData, signal, onBytes });
    return {
      ok: findings.every(({ severity }) => severity !== 'damage'),
      checked: { entries: vault.state.sequence, points: points.length, ...counts },
      findings,
      seconds: (vault.clock.monotonic() - begun) / 1000,
    };
  } finally {
    for (const ending of ['', '-wal', '-shm']) await rm(index + ending, { force: true });
  }
}
