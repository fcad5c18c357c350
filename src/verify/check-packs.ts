import { LocationTable } from '../cache/location-table.ts';
import { type CommonQueue, shareOf, stopIfAsked, takeNext } from '../pool/common-queue.ts';
import { type RateLimit, waitForTurn } from '../pool/rate-limit.ts';
import { checkPack } from '../vault/check-pack.ts';
import { openStore, type StoreAddress } from '../vault/open-store.ts';
import { joinTroubles } from '../vault/trouble.ts';
import type { VaultKeys } from '../vault/vault.ts';
import { watchReads } from '../vault/watched-store.ts';
import type { PackTrouble } from './pack-troubles.ts';

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
  limit: RateLimit | null;
  /** Bytes read, per worker. */
  counters: Float64Array;
}

/** One worker's share of `verify --read-data`: takes packs from the common queue and opens every byte of them. */
export function checkPacks(input: CheckPacksInput): Promise<PackTrouble[]> {
  return shareOf(input.queue, () => checkAll(input));
}

async function checkAll(input: CheckPacksInput): Promise<PackTrouble[]> {
  const { keys, packs, blockSize, queue, limit, counters } = input;
  const store = watchReads(openStore(input.store), (bytes) => waitForTurn(limit, bytes, () => stopIfAsked(queue)));
  using index = new LocationTable(input.index, { readOnly: true });
  const found: PackTrouble[] = [];
  for (let n = takeNext(queue); n < packs.length; n = takeNext(queue)) {
    const { name, size } = packs[n] as { name: string; size: number };
    const { troubles, lost } = await checkPack({ store, keys, name, size, blockSize, indexed: index.rowsOf(name) });
    if (troubles.length > 0) found.push({ pack: name, trouble: joinTroubles(troubles), lost });
    counters[input.worker] = (counters[input.worker] as number) + size;
  }
  return found;
}
