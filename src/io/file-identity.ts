import { stat } from 'node:fs/promises';
import { ioError } from '../base/errors.ts';

/** `device:inode`: the same for all names of one file. @throws NOT_FOUND, NO_PERMISSION, IO */
export async function fileIdentity(path: string): Promise<string> {
  const { dev, ino } = await stat(path, { bigint: true }).catch((error: unknown) => {
    throw ioError(error, 'opening', path);
  });
  return `${dev}:${ino}`;
}
