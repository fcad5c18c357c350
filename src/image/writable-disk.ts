import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { SECTOR } from '../base/units.ts';
import type { ImageDisk, OpenDiskOptions } from './open-disk.ts';
import { type ImageFile, openForWriting } from './open-for-writing.ts';

/**
 * An image to read and to write in whole sectors. What was written can be read at once, and is durable after `sync`. Until
 * then a crash leaves each sector as it was or as it was written, in an image that opens.
 */
export interface WritableDisk extends ImageDisk {
  /**
   * Writes a range of the disk; offset and length are multiples of 512. Zeros for a block that a dynamic image does not store
   * stay unstored.
   * @throws DISK_RANGE, VHD_TOO_LARGE, NO_SPACE, IO, CANCELLED
   */
  write(offset: number, bytes: Uint8Array, options?: Cancellable): Promise<void>;
  /** Makes durable what was written. @throws NO_SPACE, IO, CANCELLED */
  sync(options?: Cancellable): Promise<void>;
}

/**
 * Opens an image for writing in place: raw, or a VHD of any type, which takes what is written to it, never its parents. An
 * image that has children must not be written to: they would change too. Only one program of this machine can have it open
 * so. Closing it syncs.
 * @throws what `openDisk` throws; IMAGE_LOCKED, TARGET_UNUSABLE for a block device, NO_PERMISSION
 */
export async function openWritable(path: string, options: OpenDiskOptions = {}): Promise<WritableDisk> {
  throwIfAborted(options.signal);
  return writableDisk(await openForWriting(path, options));
}

function writableDisk(file: ImageFile): WritableDisk {
  const { disk } = file;
  const inTurn = queue();
  return {
    ...disk,
    write: async (offset, bytes, { signal } = {}) => {
      throwIfAborted(signal);
      checkRange(disk, offset, bytes.byteLength);
      await inTurn(() => file.write(offset, bytes));
    },
    sync: async ({ signal } = {}) => {
      throwIfAborted(signal);
      await inTurn(() => file.sync());
    },
    [Symbol.asyncDispose]: () => inTurn(() => file[Symbol.asyncDispose]()),
  };
}

/** Runs one after the other what is given to it. */
function queue(): (work: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    last = mine.catch(() => {});
    return mine;
  };
}

function checkRange({ size, facts: { path } }: ImageDisk, offset: number, length: number): void {
  const isWhole = (n: number): boolean => Number.isSafeInteger(n) && n % SECTOR === 0;
  if (isWhole(offset) && isWhole(length) && offset >= 0 && offset + length <= size) return;
  const what = `bytes ${offset} to ${offset + length} are not whole sectors in ${path} of ${size}`;
  throw new VhdvaultError('DISK_RANGE', what, { details: { path, offset, expected: size, found: offset + length } });
}
