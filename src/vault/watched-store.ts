import type { Store } from './store/store.ts';

/** A store that waits for `before` whenever bytes of an open object are about to be read. */
export function watchReads(store: Store, before: (bytes: number) => Promise<void>): Store {
  return {
    ...store,
    async open(path) {
      const file = await store.open(path);
      return {
        size: file.size,
        async read(position, target) {
          await before(target.byteLength);
          await file.read(position, target);
        },
        [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
      };
    },
  };
}
