import { VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { LocationTable } from '../cache/location-table.ts';
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
  /** File of the index that verify made. */
  index: string;
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
  try {
    return await checkAll(input);
  } catch (error) {
    Atomics.store(input.memory.control, STOP, 1);
    throw error;
  }
}

async function checkAll(input: CheckPacksInput): Promise<PackProblem[]> {
  const { keys, packs, blockSize, memory } = input;
  const store = openStore(input.store);
  using index = new LocationTable(input.index, { readOnly: true });
  const problems: PackProblem[] = [];
  for (let n = take(input); n < packs.length; n = take(input)) {
    const { name, size } = packs[n] as { name: string; size: number };
    const { found, badIds } = await checkPack({ store, keys, name, size, blockSize, indexed: index.rowsOf(name) });
    const bad = badIds === 'all' ? badIds : badIds.map(toHex);
    problems.push(...found.map((what) => ({ pack: name, what, badIds: bad })));
    memory.counters[input.worker] = (memory.counters[input.worker] as number) + size;
  }
  return problems;
}

function take({ memory: { control } }: CheckPacksInput): number {
  if (Atomics.load(control, STOP) !== 0) throw new VhdvaultError('CANCELLED', 'cancelled');
  return Atomics.add(control, NEXT, 1);
}
