import { toHex } from '../base/hex.ts';
import { LocationTable } from '../cache/location-table.ts';
import { type CommonQueue, shareOf, takeNext } from '../pool/common-queue.ts';
import { checkPack } from '../vault/check-pack.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import type { VaultKeys } from '../vault/vault.ts';

export interface CheckPacksInput {
  worker: number;
  store: StoreAddress;
  keys: VaultKeys;
  blockSize: number;
  /** File of the index that verify made. */
  index: string;
  packs: { name: string; size: number }[];
  /** Of packs. */
  queue: CommonQueue;
  /** Bytes read, per worker. */
  counters: Float64Array;
}

/** What is wrong with a pack; the ids (hex) that cannot be read from it. */
export interface PackProblem {
  pack: string;
  what: string;
  badIds: string[] | 'all';
}

/** One worker's share of `verify --read-data`: takes packs from the common queue and opens every byte of them. */
export function checkPacks(input: CheckPacksInput): Promise<PackProblem[]> {
  return shareOf(input.queue, () => checkAll(input));
}

async function checkAll(input: CheckPacksInput): Promise<PackProblem[]> {
  const { keys, packs, blockSize, queue, counters } = input;
  const store = openStore(input.store);
  using index = new LocationTable(input.index, { readOnly: true });
  const problems: PackProblem[] = [];
  for (let n = takeNext(queue); n < packs.length; n = takeNext(queue)) {
    const { name, size } = packs[n] as { name: string; size: number };
    const { found, badIds } = await checkPack({ store, keys, name, size, blockSize, indexed: index.rowsOf(name) });
    const bad = badIds === 'all' ? badIds : badIds.map(toHex);
    problems.push(...found.map((what) => ({ pack: name, what, badIds: bad })));
    counters[input.worker] = (counters[input.worker] as number) + size;
  }
  return problems;
}
