import { createHash } from 'node:crypto';
import type { Clock } from '../../src/base/clock.ts';
import type { Random } from '../../src/base/random.ts';
import type { KdfCost } from '../../src/vault/vault.ts';

/** Randomness that is the same in every run: SHA-256 of the seed and a counter. */
export function fixedRandom(seed = 'vhdvault'): Random {
  let count = 0;
  return {
    bytes(length: number): Uint8Array {
      const parts: Uint8Array[] = [];
      for (let done = 0; done < length; done += 32) {
        parts.push(createHash('sha256').update(`${seed} ${count++}`).digest());
      }
      return new Uint8Array(Buffer.concat(parts).subarray(0, length));
    },
  };
}

/** A clock that moves one second at every look, from the first of January 2026. */
export function fixedClock(): Clock {
  const start = Date.UTC(2026, 0, 1);
  let ticks = 0;
  return { now: () => start + 1000 * ticks++, monotonic: () => ticks, sleep: async () => undefined };
}

/** As weak as argon2id goes: tests open many vaults. */
export const CHEAP_KDF: KdfCost = { memoryKiB: 8, passes: 1, lanes: 1 };
export const PASSPHRASE = { passphrase: 'correct horse battery staple' };
