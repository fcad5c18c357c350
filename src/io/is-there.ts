import { stat } from 'node:fs/promises';
import { ioError, systemCode } from '../base/errors.ts';

/** Links are followed: one that leads to nothing is not there. @throws NO_PERMISSION, IO */
export async function isThere(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') return false;
      throw ioError(error, 'looking at', path);
    },
  );
}
