import type { Store } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { VaultBench } from './vault-bench.ts';

/**
 * Does something just before a run writes the entry of its point: when all its packs and its segment are there. It is done
 * once, or at every such moment until `times` is reached; returns how often it was done.
 */
export function beforePoint(bench: VaultBench, action: () => Promise<void>, times = 1): { done: number } {
  const told = { done: 0 };
  const { name } = bench.storeAddress as { name: string };
  let busy = false;
  let saved = false;
  const wrap = (store: Store): Store => ({
    ...store,
    async rename(from, to) {
      await store.rename(from, to);
      if (!busy && to.startsWith('index/')) saved = true;
    },
    async create(path) {
      if (!busy && saved && told.done < times && /^staging\/AzureBackup-.*\/entry-/.test(path)) {
        busy = true;
        await action();
        busy = false;
        told.done++;
        saved = false;
      }
      return await store.create(path);
    },
  });
  wrapMemoryStore(name, wrap);
  return told;
}
