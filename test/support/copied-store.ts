import { openStore, type Store } from '../../src/vault/open-store.ts';

let count = 0;

/** Everything in a store, by path. */
export async function readAll(store: Store, folder = '.'): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of await store.list(folder)) {
    const path = folder === '.' ? name : `${folder}/${name}`;
    if ((await store.size(path)) === undefined) {
      for (const [inner, bytes] of await readAll(store, path)) files.set(inner, bytes);
    } else files.set(path, await store.get(path));
  }
  return files;
}

/** A store in memory with these files and no others. */
export async function storeOf(files: ReadonlyMap<string, Uint8Array>, name = `copy-${count++}`): Promise<Store> {
  const store = openStore({ kind: 'memory', name });
  for (const old of (await readAll(store)).keys()) await store.remove(old);
  for (const [path, bytes] of files) await putFile(store, path, bytes);
  return store;
}

/** Puts bytes into the place of a file, if there is one. */
export async function putFile(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  await store.remove(path);
  await using file = await store.create(path);
  await file.write([bytes]);
}
