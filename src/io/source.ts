import { type FileHandle, open } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../base/errors.ts';

/** Bytes at positions, to read. */
export interface ByteSource extends AsyncDisposable {
  readonly path: string;
  readonly size: number;
  /** Fills the whole `target` from `position`; a short file is an IO error. */
  read(position: number, target: Uint8Array): Promise<void>;
  /** The open file itself, for fstat. */
  readonly handle: FileHandle;
}

/**
 * Opens a file or block device for reading. Symbolic links are followed.
 * @throws NOT_FOUND, NO_PERMISSION, IO
 */
export async function openSource(path: string): Promise<ByteSource> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw ioError(error, 'opening', path);
  });
  try {
    const size = await sizeOf(handle, path);
    return {
      path,
      size,
      handle,
      read: (position, target) => readFully(handle, path, position, target),
      [Symbol.asyncDispose]: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Reads until `target` is full: one pread may return less than was asked for. */
async function readFully(handle: FileHandle, path: string, position: number, target: Uint8Array): Promise<void> {
  let done = 0;
  while (done < target.byteLength) {
    const { bytesRead } = await handle
      .read(target, done, target.byteLength - done, position + done)
      .catch((error: unknown) => {
        throw ioError(error, `reading at byte ${position + done} of`, path);
      });
    if (bytesRead === 0) {
      throw new VhdvaultError(
        'IO',
        `${path} ends at byte ${position + done}, ${target.byteLength - done} bytes too early`,
        {
          hint: 'the file is truncated or was cut while it was read',
          details: { path, offset: position + done },
        },
      );
    }
    done += bytesRead;
  }
}

/** stat tells 0 for a block device; its size is where its last byte can be read. */
async function sizeOf(handle: FileHandle, path: string): Promise<number> {
  const stat = await handle.stat();
  if (!stat.isBlockDevice()) return stat.size;
  const probe = new Uint8Array(1);
  const readable = async (at: number): Promise<boolean> =>
    (await handle.read(probe, 0, 1, at).catch(() => ({ bytesRead: 0 }))).bytesRead === 1;
  if (!(await readable(0)))
    throw new VhdvaultError('DISK_EMPTY', `${path} is an empty block device`, { details: { path } });
  let high = 512;
  while (await readable(high)) high *= 2;
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (await readable(middle)) low = middle;
    else high = middle;
  }
  return high;
}
