import { type Random, systemRandom } from '../../src/base/random.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { fillLog, type Moment } from './attacked-vault.ts';
import { readAll } from './copied-store.ts';
import { CHEAP_KDF, PASSPHRASE } from './fixed-parts.ts';
import { noise, rawDisk, type VaultBench } from './vault-bench.ts';

interface Kinship {
  /** Of the same family. */
  family?: boolean;
  /** With the same id. */
  id?: boolean;
  encrypted?: boolean;
}

/**
 * Another vault with the same master key, and what else is told: a copy has the family, and so its objects are authentic
 * here, and yet in no way part of the history.
 */
export async function familyTwin(
  bench: VaultBench,
  folder: string,
  { family = false, id = false, encrypted = true }: Kinship,
): Promise<Moment> {
  const name = `twin-${folder}`;
  const store = openStore({ kind: 'memory', name });
  {
    await using session = await bench.open({ state: `${folder}-state`, cache: `${folder}-cache` });
    const { keys, config } = session.vault;
    const seeds = [keys.master, systemRandom.bytes(32), ...(family ? [keys.family] : []), ...(id ? [config.id] : [])];
    const secret = encrypted ? { secret: PASSPHRASE } : {};
    const cheap = { kdf: CHEAP_KDF, reserve: 1024, blockSize: 16_384, codec: 'none' } as const;
    await createVault(store, { ...cheap, ...secret, random: beginningWith(seeds) });
  }
  const bytes = noise(6 * 16_384, 4);
  await using session = await bench.open({
    ...(!encrypted && { passphrase: undefined }),
    state: `${folder}-state-2`,
    cache: `${folder}-cache-2`,
    parts: { store: { kind: 'memory', name } },
  });
  const { point } = await backup(session, 'a', [await rawDisk(`${folder}-disk`, bytes)]);
  await fillLog(session, 64);
  return { files: await readAll(store), truth: new Map([[`a@${point}`, bytes]]) };
}

/** Then as random as any. */
function beginningWith(first: Uint8Array[]): Random {
  return { bytes: (length) => first.shift() ?? systemRandom.bytes(length) };
}
