import type { Stats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ioError, isError, systemCode, VhdvaultError } from '../../base/errors.ts';
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
      await mkdir(at(path), { recursive: true }).catch(async (error: unknown) => {
        if (await isDeadLink(at(path))) throw deadLink('making the folder', at(path), at(path));
        throw ioError(error, 'making the folder', at(path));
      });
    },
    async create(path) {
      if (!isInVault(path)) return await createFile(at(path));
      return await createFile(at(path)).catch(missingFolder('creating', at(path)));
    },
    async link(from, to) {
      try {
        await link(at(from), at(to));
        return 'linked';
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return 'exists';
        throw ioError(error, 'linking', at(to));
      }
    },
    rename: (from, to) =>
      rename(at(from), at(to))
        .catch(typed('renaming to', to))
        .catch(missingFolder('renaming to', at(to))),
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

/** Not of a run's own folder in staging/, which another one may have removed. */
function isInVault(path: string): boolean {
  return !/^staging\/.*\//.test(path);
}

/** What copied the vault may have left folders out, or copied links to folders that lie elsewhere. */
function missingFolder(doing: string, path: string): (error: unknown) => Promise<never> {
  return async (error) => {
    const folder = dirname(path);
    if (!isError(error, 'NOT_FOUND') || (await stat(folder).catch(() => undefined))) throw error;
    if (await isDeadLink(folder)) throw deadLink(doing, path, folder);
    throw new VhdvaultError('NOT_FOUND', `${doing} ${path} failed: the folder ${folder} is missing`, {
      hint: 'a copy of a vault may lack the folders that were empty: `vhdvault repair` makes them',
      details: error.details,
      cause: error,
    });
  };
}

async function isDeadLink(path: string): Promise<boolean> {
  const link = await lstat(path).catch(() => undefined);
  return link?.isSymbolicLink() === true && (await stat(path).catch(() => undefined)) === undefined;
}

function deadLink(doing: string, path: string, link: string): VhdvaultError {
  return new VhdvaultError('NOT_FOUND', `${doing} ${path} failed: ${link} is a symbolic link that leads nowhere`, {
    hint: 'bring back what it leads to, or remove the link: then `vhdvault repair` makes the folder',
    details: { path, system: 'ENOENT' },
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
      const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts);
      await writeFully(handle, path, position, bytes);
      position += bytes.byteLength;
    },
    async sync() {
      await handle.sync().catch((error: unknown) => {
        throw ioError(error, 'syncing', path);
      });
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
