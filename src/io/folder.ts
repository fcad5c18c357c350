import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError, systemCode } from '../base/errors.ts';

/** Makes the names in a folder durable. File systems that cannot (some SMB mounts) answer EINVAL or ENOTSUP: tolerated. */
export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw ioError(error, 'opening the folder', path);
  });
  try {
    await handle.sync();
  } catch (error) {
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(systemCode(error) ?? ''))
      throw ioError(error, 'syncing the folder', path);
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder, and those above it that are missing, and their names durable. `mode` is for the folder itself, and only
 * if it is made here.
 */
export async function makeFolderDurable(path: string, mode?: number): Promise<void> {
  const folder = resolve(path);
  let first: string | undefined;
  try {
    const above = await mkdir(dirname(folder), { recursive: true });
    const own = await mkdir(folder, { recursive: true, ...(mode !== undefined && { mode }) });
    first = above ?? own;
  } catch (error) {
    throw ioError(error, 'making the folder', folder);
  }
  if (first === undefined) return;
  // Each folder that was made, and the one that got the name of the first of them.
  const last = dirname(resolve(first));
  for (let made = folder; ; made = dirname(made)) {
    await syncFolder(made);
    if (made === last || made === dirname(made)) return;
  }
}
