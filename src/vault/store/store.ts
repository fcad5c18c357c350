/**
 * Where the objects of a vault live: a tree of paths with `/`, relative to the vault. The rules of durability are the
 * caller's: content, then `sync`, then the name, then `syncFolder`.
 */
export interface Store {
  readonly address: StoreAddress;
  /** Whole object. @throws NOT_FOUND, IO */
  get(path: string): Promise<Uint8Array>;
  /** Opens for reads at positions. @throws NOT_FOUND, IO */
  open(path: string): Promise<StoreReader>;
  /** Bytes, or undefined when there is no such object. What is no file has none. */
  size(path: string): Promise<number | undefined>;
  /** What lies there; undefined: nothing, or a link that leads nowhere. For messages: nothing is decided by it. */
  kind(path: string): Promise<'file' | 'folder' | 'other' | undefined>;
  /** Names in a folder, sorted; none when there is no such folder. Never a proof of absence. */
  list(folder: string): Promise<string[]>;
  makeFolder(path: string): Promise<void>;
  /** A new object, to be written once. @throws TARGET_EXISTS */
  create(path: string): Promise<StoreWriter>;
  /** Gives a finished object a second name, unless that is taken. */
  link(from: string, to: string): Promise<'linked' | 'exists'>;
  rename(from: string, to: string): Promise<void>;
  /** Removes an object; one that is gone already is no error. */
  remove(path: string): Promise<void>;
  /** Removes a folder and all that is in it. */
  removeFolder(path: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(path: string): Promise<void>;
  /** Free bytes for us, or undefined where nobody knows. */
  free(): Promise<number | undefined>;
}

export interface StoreReader extends AsyncDisposable {
  readonly size: number;
  read(position: number, target: Uint8Array): Promise<void>;
}

export interface StoreWriter extends AsyncDisposable {
  /** Appends. */
  write(parts: readonly Uint8Array[]): Promise<void>;
  /** Makes the content durable. */
  sync(): Promise<void>;
}

/** Plain data: a worker thread opens the same store from it. `memory` works within one thread. */
export type StoreAddress = { kind: 'folder'; path: string; staging?: string } | { kind: 'memory'; name: string };
