import { open } from 'node:fs/promises';
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
