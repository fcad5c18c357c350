import { VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { checkPack } from '../vault/check-pack.ts';
import { openStore } from '../vault/open-store.ts';
import type { CheckPacksInput, PackProblem } from './check-packs-task.ts';
import { NEXT, STOP } from './check-packs-task.ts';

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
