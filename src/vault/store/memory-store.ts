import { VhdvaultError } from '../../base/errors.ts';
import type { Store } from './store.ts';

/** A vault in memory, for tests and simulation. Any number of `openMemoryStore(name)` in a thread share one content. */
const contents = new Map<string, Map<string, Uint8Array>>();
const wraps = new Map<string, (store: Store) => Store>();

/** From now on whoever opens the memory store of this name gets it wrapped: to count its operations, or to fail some. */
export function wrapMemoryStore(name: string, wrap: (store: Store) => Store): void {
  wraps.set(name, wrap);
}

export function openMemoryStore(name: string): Store {
  const store = plainMemoryStore(name);
  return wraps.get(name)?.(store) ?? store;
}

function plainMemoryStore(name: string): Store {
  const files = contents.get(name) ?? new Map<string, Uint8Array>();
  contents.set(name, files);
  const need = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (bytes) return bytes;
    throw new VhdvaultError('NOT_FOUND', `${path} does not exist`, { hint: 'check the path', details: { path } });
  };
  return {
    address: { kind: 'memory', name },
    get: async (path) => Uint8Array.from(need(path)),
    open: async (path) => {
      const bytes = need(path);
      return {
        size: bytes.byteLength,
        async read(position, target) {
          if (position + target.byteLength > bytes.byteLength) throw new VhdvaultError('IO', `${path} ends too early`);
          target.set(bytes.subarray(position, position + target.byteLength));
        },
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    size: async (path) => files.get(path)?.byteLength,
    kind: async (path) => {
      if (files.has(path)) return 'file';
      return [...files.keys()].some((name) => name.startsWith(`${path}/`)) ? 'folder' : undefined;
    },
    list: async (folder) => {
      const prefix = folder === '.' ? '' : `${folder}/`;
      const names = [...files.keys()]
        .filter((path) => path.startsWith(prefix))
        .map((path) => path.slice(prefix.length));
      return [...new Set(names.map((path) => path.split('/')[0] as string))].sort();
    },
    makeFolder: async () => undefined,
    create: async (path) => {
      if (files.has(path)) throw new VhdvaultError('TARGET_EXISTS', `${path} exists already`);
      files.set(path, new Uint8Array(0));
      return {
        write: async (parts) => void files.set(path, Buffer.concat([need(path), ...parts])),
        sync: async () => undefined,
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    async link(from, to) {
      if (files.has(to)) return 'exists';
      files.set(to, need(from));
      return 'linked';
    },
    async rename(from, to) {
      const inside = [...files.keys()].filter((path) => path.startsWith(`${from}/`));
      const moved = inside.length > 0 ? inside.map((path) => [path, to + path.slice(from.length)]) : [[from, to]];
      for (const [before, after] of moved as [string, string][]) {
        files.set(after, need(before));
        files.delete(before);
      }
    },
    remove: async (path) => void files.delete(path),
    removeFolder: async (folder) => {
      for (const path of [...files.keys()]) if (path.startsWith(`${folder}/`)) files.delete(path);
    },
    syncFolder: async () => undefined,
    free: async () => undefined,
  };
}
