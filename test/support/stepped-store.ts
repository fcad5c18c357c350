import type { Store, StoreReader, StoreWriter } from '../../src/vault/store/store.ts';

/** Does an operation, or does not; `what` tells it in words. */
export type Step = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/** A store of which every operation, on its open files too, goes through one function. */
export function steppedStore(store: Store, step: Step): Store {
  const reader = (path: string, inner: StoreReader): StoreReader => ({
    size: inner.size,
    read: (position, target) => step(`read ${path}`, () => inner.read(position, target)),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  });
  const writer = (path: string, inner: StoreWriter): StoreWriter => ({
    write: (parts) => step(`write ${path}`, () => inner.write(parts)),
    sync: () => step(`sync ${path}`, () => inner.sync()),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  });
  return {
    address: store.address,
    get: (path) => step(`get ${path}`, () => store.get(path)),
    open: (path) => step(`open ${path}`, async () => reader(path, await store.open(path))),
    size: (path) => step(`size ${path}`, () => store.size(path)),
    // Only words of messages depend on it.
    kind: (path) => store.kind(path),
    list: (folder) => step(`list ${folder}`, () => store.list(folder)),
    makeFolder: (path) => step(`makeFolder ${path}`, () => store.makeFolder(path)),
    create: (path) => step(`create ${path}`, async () => writer(path, await store.create(path))),
    link: (from, to) => step(`link ${to}`, () => store.link(from, to)),
    rename: (from, to) => step(`rename ${to}`, () => store.rename(from, to)),
    remove: (path) => step(`remove ${path}`, () => store.remove(path)),
    removeFolder: (path) => step(`removeFolder ${path}`, () => store.removeFolder(path)),
    syncFolder: (path) => step(`syncFolder ${path}`, () => store.syncFolder(path)),
    free: () => store.free(),
  };
}
