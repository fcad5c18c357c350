import type { Stats } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, systemCode, VhdvaultError } from '../../base/errors.ts';
import { syncFolder } from '../../io/folder.ts';
import { writeFully } from '../../io/write-fully.ts';
import { openObject, readObject } from './read-object.ts';
import type { Store, StoreWriter } from './store.ts';

/** A vault in a folder of a file system with atomic link(2), rename(2) and fsync of folders. */
export function openFolderStore(root: string, staging?: string): Store {
  const at = (path: string): string => {
    const [first, ...rest] = path.split('/');
    // Staging locations may lie elsewhere on the same file system (`--staging`).
    return staging !== undefined && first === 'staging' ? join(staging, ...rest) : join(root, path);
  };
  const typed =
    (doing: string, path: string) =>
    (error: unknown): never => {
      throw ioError(error, doing, at(path));
    };
  return {
    address: { kind: 'folder', path: root, ...(staging !== undefined && { staging }) },
    get: (path) => readObject(path, at(path)),
    open: (path) => openObject(at(path)),
    async size(path) {
      const found = await statOf(at(path));
      return found && (found.isFile() ? found.size : 0);
    },
    async kind(path) {
      const found = await statOf(at(path));
      if (found?.isDirectory()) return 'folder';
      return found && (found.isFile() ? 'file' : 'other');
    },
    async list(folder) {
      const names = await readdir(at(folder)).catch((error: unknown) => {
        if (systemCode(error) === 'ENOENT') return [];
        throw ioError(error, 'listing', at(folder));
      });
      return names.sort();
    },
    makeFolder: async (path) => {
      await mkdir(at(path), { recursive: true }).catch(typed('making the folder', path));
    },
    create: (path) => createFile(at(path)),
    async link(from, to) {
      try {
        await link(at(from), at(to));
        return 'linked';
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return 'exists';
        throw ioError(error, 'linking', at(to));
      }
    },
    rename: (from, to) => rename(at(from), at(to)).catch(typed('renaming to', to)),
    remove: (path) => rm(at(path), { force: true }).catch(typed('removing', path)),
    removeFolder: (path) => rm(at(path), { force: true, recursive: true }).catch(typed('removing', path)),
    syncFolder: (path) => syncFolder(at(path)),
    async free() {
      const found = await statfs(root).catch(() => undefined);
      return found && found.bavail * found.bsize;
    },
  };
}

async function statOf(path: string): Promise<Stats | undefined> {
  return await stat(path).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
    throw ioError(error, 'looking at', path);
  });
}

async function createFile(path: string): Promise<StoreWriter> {
  const handle = await open(path, 'wx').catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw ioError(error, 'creating', path);
    throw new VhdvaultError('TARGET_EXISTS', `${path} exists already`, {
      hint: 'another run made it',
      details: { path },
    });
  });
  let position = 0;
  return {
    async write(parts) {
      const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
      const { bytesWritten } = await handle.writev(parts as Uint8Array[], position).catch((error: unknown) => {
        throw ioError(error, 'writing', path);
      });
      // A short write is how a full disk begins; the next one would fail, but never count on it.
      if (bytesWritten !== length)
        await writeFully(handle, path, position + bytesWritten, Buffer.concat(parts).subarray(bytesWritten));
      position += length;
    },
    async sync() {
      await handle.sync().catch((error: unknown) => {
        throw ioError(error, 'syncing', path);
      });
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
