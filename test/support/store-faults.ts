import { VhdvaultError } from '../../src/base/errors.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { steppedStore } from './stepped-store.ts';

/**
 * one: only the k-th operation fails. dead: it and all after it, as after a crash. late: the k-th is done, but reported
 * as failed.
 */
export type FaultMode = 'one' | 'dead' | 'late';

/** Counts the operations of a store and fails the k-th one; `hit` tells whether the fault came to pass. */
export interface Faults {
  count: number;
  /** Every operation so far, in words. */
  log: string[];
  hit: boolean;
  /** The operation that failed, in words. */
  what: string;
  wrap(store: Store): Store;
}

/** Operations that only read are counted too; k counts from 1, and k = 0 never fails. */
export function storeFaults(k: number, mode: FaultMode): Faults {
  const faults: Faults = { count: 0, log: [], hit: false, what: '', wrap: (store) => steppedStore(store, step) };

  async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
    const n = ++faults.count;
    faults.log.push(what);
    const fails = k > 0 && (mode === 'dead' ? n >= k : n === k);
    if (!fails) return work();
    if (!faults.hit) faults.what = what;
    faults.hit = true;
    if (mode === 'late') await closed(await work());
    throw new VhdvaultError('IO', `injected fault at operation ${n}: ${what}`);
  }

  return faults;
}

/** Whoever is told that opening failed closes nothing. */
async function closed(result: unknown): Promise<void> {
  if (typeof result === 'object' && result !== null && Symbol.asyncDispose in result)
    await (result as AsyncDisposable)[Symbol.asyncDispose]();
}
