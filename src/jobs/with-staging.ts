import { toHex } from '../base/hex.ts';
import { createStaging, removeStaging, type StagingLocation } from '../staging/staging-location.ts';
import type { VaultSession } from './session.ts';

/** Makes a staging location for one entry of the log (L3); under the item's lock. */
export async function withStaging(
  { vault }: VaultSession,
  item: string,
  work: (staging: StagingLocation) => Promise<unknown>,
): Promise<void> {
  const staging = await createStaging(vault, toHex(vault.random.bytes(16)), { item, started: vault.clock.now() });
  try {
    await work(staging);
  } finally {
    // What stays is removed by the next run.
    await removeStaging(staging).catch(() => undefined);
  }
}
