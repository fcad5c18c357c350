import type { FileHandle } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { KIB } from '../base/units.ts';

/**
 * Bytes of one write at most. Linux 6.18 puts 1 MiB into one large page of its cache, and takes five to eight times as long to
 * find one as for four writes of a quarter.
 */
const PIECE: number = 256 * KIB;

/**
 * Writes all of `bytes` at `position`: one pwrite may take less than it was given.
 * @throws NO_SPACE, NO_PERMISSION, IO
 */
export async function writeFully(handle: FileHandle, path: string, position: number, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle
      .write(bytes, done, Math.min(PIECE, bytes.byteLength - done), position + done)
      .catch((error: unknown) => {
        throw ioError(error, `writing at byte ${position + done} of`, path);
      });
    if (bytesWritten === 0)
      throw new VhdvaultError('IO', `writing ${path} makes no progress`, { hint: 'look at the disk' });
    done += bytesWritten;
  }
}
