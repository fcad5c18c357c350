import { VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { checkPack } from '../vault/check-pack.ts';
import type { StoreAddress } from '../vault/open-store.ts';
import { openStore } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';

export const NEXT = 0;
export const STOP = 1;

export interface CheckPacksInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  blockSize: number;
  packs: { name: string; size: number }[];
  /** control: next pack, stop flag; counters: bytes read, per worker. */
  memory: { control: Int32Array; counters: Float64Array };
}

/** What is wrong with a pack; the ids (hex) that cannot be read from it. */
export interface PackProblem {
  pack: string;
  what: string;
  badIds: string[] | 'all';
}

/** One worker's share of `verify --read-data`: takes packs from the common queue and opens every byte of them. */
export async function checkPacks(input: CheckPacksInput): Promise<PackProblem[]> {
  const { keys, packs, blockSize, memory } = input;
  const store = openStore(input.store);
  const problems: PackProblem[] = [];
  for (let n = take(input); n < packs.length; n = take(input)) {
    const { name, size } = packs[n] as { name: string; size: number };
    const { found, badIds } = await checkPack({ store, keys, name, size, blockSize });
    problems.push(
      ...found.map((what) => ({ pack: name, what, badIds: badIds === 'all' ? ('all' as const) : badIds.map(toHex) })),
    );
    memory.counters[input.worker] = (memory.counters[input.worker] as number) + size;
  }
  return problems;
}

function take({ memory: { control } }: CheckPacksInput): number {
  if (Atomics.load(control, STOP) !== 0) throw new VhdvaultError('CANCELLED', 'cancelled');
  return Atomics.add(control, NEXT, 1);
}
