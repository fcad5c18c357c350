import { openFolderStore } from './store/folder-store.ts';
import { openMemoryStore } from './store/memory-store.ts';
import type { Store, StoreAddress } from './store/store.ts';

export type { Store, StoreAddress } from './store/store.ts';

export function openStore(address: StoreAddress): Store {
  switch (address.kind) {
    case 'folder':
      return openFolderStore(address.path, address.staging);
    case 'memory':
      return openMemoryStore(address.name);
    default:
      return address satisfies never;
  }
}

/** Where a store is, for messages. */
export function placeOf({ address }: Store): string {
  return address.kind === 'folder' ? address.path : `memory:${address.name}`;
}

/** Writes a small object so that it is either there whole and durable under its new name, or not at all. */
export async function writeObject(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  {
    await using file = await store.create(path);
    await file.write([bytes]);
    await file.sync();
  }
  await store.syncFolder(path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.');
}
