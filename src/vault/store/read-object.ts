import { constants } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { ioError } from '../../base/errors.ts';
import { type ByteSource, openSource } from '../../io/source.ts';
import { LARGEST_CHECKPOINT } from '../largest-object.ts';
import type { StoreReader } from './store.ts';

/*
 * Whoever can write to a vault's folder can put anything in the place of an object: a pipe, at which a read would wait for
 * ever, a link to /dev/zero, a file of 1 TiB without a block of its own. What is no file has no bytes, and of what is
 * longer than any object only a little more than that is read: both fail the checks that every object must pass.
 */
const KIB = 1024;
const MIB = 1024 * KIB;

/** By the first word of the path. */
const MOST_BYTES: Readonly<Record<string, number>> = {
  'vault.json': 64 * KIB,
  keys: 4 * KIB,
  log: MIB,
  locks: 64 * KIB,
  staging: MIB,
};
/** Of checkpoints. */
const MOST_OF_OTHERS: number = LARGEST_CHECKPOINT;

/** A whole object; `path` is its path in the store, `file` where it lies. @throws NOT_FOUND, NO_PERMISSION, IO */
export async function readObject(path: string, file: string): Promise<Uint8Array> {
  const most = MOST_BYTES[path.split('/')[0] as string] ?? MOST_OF_OTHERS;
  try {
    // Without waiting for who would write to a pipe.
    await using handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    const found = await handle.stat();
    return await readUpTo(handle, found.isFile() ? Math.min(found.size, most + 1) : 0);
  } catch (error) {
    throw ioError(error, 'reading', file);
  }
}

/** For reads at positions. @throws NOT_FOUND, NO_PERMISSION, IO */
export async function openObject(file: string): Promise<ByteSource | StoreReader> {
  const found = await stat(file).catch((error: unknown) => {
    throw ioError(error, 'opening', file);
  });
  return found.isFile() ? await openSource(file) : EMPTY;
}

const EMPTY: StoreReader = {
  size: 0,
  read: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

/** Less where the file ends sooner. */
async function readUpTo(handle: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, length - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}
