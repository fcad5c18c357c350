import { ioError, systemCode, VhdvaultError } from '../../src/base/errors.ts';
import type { Store, StoreReader, StoreWriter } from '../../src/vault/store/store.ts';
import type { DurableFiles, File } from './durable-files.ts';

/**
 * One operation: waits until it may happen, and is told what went wrong with it. `plain`: to take turns over it would show
 * nothing.
 */
export type Operation = <T>(what: string, work: () => T, plain?: boolean) => Promise<T>;

/** As one process sees the store: every operation is one step of the world. Errors are those of the folder store. */
export function simulatedStore(
  files: DurableFiles,
  operate: Operation,
  options: { isSeen?: (age: number) => boolean } = {},
): Store {
  const step = async <T>(doing: string, path: string, work: () => T): Promise<T> => {
    try {
      return await operate(`${doing} ${path}`, work, isOneOfMany(path));
    } catch (error) {
      throw ioError(error, doing, path);
    }
  };
  const store: Store = {
    address: { kind: 'memory', name: STORE },
    get: (path) => step('reading', path, () => Uint8Array.from(files.file(path).bytes)),
    open: (path) => step('opening', path, () => reader(step, path, files.file(path))),
    size: (path) =>
      step('looking at', path, () => (files.isThere(path) ? files.file(path).bytes.byteLength : undefined)),
    // No step: only words of messages depend on it.
    kind: async (path) => files.kind(path),
    list: (path) => step('listing', path, () => files.list(path, path === 'keys' ? undefined : options.isSeen)),
    makeFolder: (path) => step('making the folder', path, () => files.makeFolder(path)),
    create: (path) => create(step, path, files),
    async link(from, to) {
      try {
        await operate(`linking ${from} to ${to}`, () => files.link(from, to));
        return 'linked';
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return 'exists';
        throw ioError(error, 'linking', to);
      }
    },
    rename: (from, to) => step(`renaming ${from} to`, to, () => files.rename(from, to)),
    remove: (path) => step('removing', path, () => files.remove(path)),
    async removeFolder(path) {
      if (!files.isThere(path)) return;
      for (const name of files.list(path)) await store.removeFolder(`${path}/${name}`);
      await store.remove(path);
    },
    syncFolder: (path) => step('syncing the folder', path, () => files.syncFolder(path)),
    free: async () => undefined,
  };
  return store;
}

/** Of the memory store that production code opens. */
export const STORE = 'simulator';

/** There are 256 folders of packs, most of them empty. */
function isOneOfMany(path: string): boolean {
  return /^packs\/[0-9a-f][1-9a-f]$/.test(path);
}

type Step = <T>(doing: string, path: string, work: () => T) => Promise<T>;

async function create(step: Step, path: string, files: DurableFiles): Promise<StoreWriter> {
  const file = await step('creating', path, () => files.create(path)).catch((error: unknown) => {
    if ((error as VhdvaultError).details?.system !== 'EEXIST') throw error;
    throw new VhdvaultError('TARGET_EXISTS', `${path} exists already`, { hint: 'another run made it' });
  });
  return {
    write: (parts) => step('writing', path, () => files.append(file, parts)),
    sync: () => step('syncing', path, () => files.sync(file, path)),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** An open file stays what it was, whatever becomes of its name. */
function reader(step: Step, path: string, file: File): StoreReader {
  return {
    size: file.bytes.byteLength,
    read: (position, target) =>
      step('reading', path, () => {
        if (position + target.byteLength > file.bytes.byteLength)
          throw new VhdvaultError('IO', `${path} ends too early`);
        target.set(file.bytes.subarray(position, position + target.byteLength));
      }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
