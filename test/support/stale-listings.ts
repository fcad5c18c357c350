import type { Store } from '../../src/vault/open-store.ts';

/**
 * A store whose listings leave out any names, old ones too, each time others: one of all, a few, most or all of them. Of key slots
 * it tells: a vault of which none is listed does not open.
 */
export function staleListings(random: () => number): (store: Store) => Store {
  return (store) => ({
    ...store,
    async list(folder) {
      const names = await store.list(folder);
      if (folder === 'keys') return names;
      const share = [0, 0.1, 0.5, 0.9, 1][Math.floor(random() * 5)] as number;
      return names.filter(() => random() >= share);
    },
  });
}
