import { type FileHandle, open } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { deviceSize, probeEnd } from './block-device.ts';

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
export async function readFully(handle: FileHandle, path: string, position: number, target: Uint8Array): Promise<void> {
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

/** stat tells 0 for a block device: the kernel is asked, else the last byte that can be read is looked for. */
async function sizeOf(handle: FileHandle, path: string): Promise<number> {
  const stat = await handle.stat().catch((error: unknown) => {
    throw ioError(error, 'looking at', path);
  });
  if (!stat.isBlockDevice()) return stat.size;
  const size = (await deviceSize(stat.rdev)) ?? (await probeEnd((position) => readByte(handle, path, position)));
  if (size > 0) return size;
  throw new VhdvaultError('DISK_EMPTY', `${path} is an empty block device`, { details: { path } });
}

async function readByte(handle: FileHandle, path: string, position: number): Promise<number> {
  const { bytesRead } = await handle.read(new Uint8Array(1), 0, 1, position).catch((error: unknown) => {
    throw ioError(error, `looking for the end at byte ${position} of`, path);
  });
  return bytesRead;
}
