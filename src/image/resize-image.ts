import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { MIB, roundUp, SECTOR } from '../base/units.ts';
import { isZero } from './is-zero.ts';
import type { ImageDisk } from './open-disk.ts';
import { openForWriting } from './open-for-writing.ts';
import type { ImageFormat, Layer } from './vhd/layer.ts';

/** How to resize an image. */
export interface ResizeOptions extends Cancellable {
  /** See `openDisk`. */
  format?: 'vhd' | 'raw';
  /** See `openDisk`. */
  parentRoots?: readonly string[];
}

/** What a resize did. */
export interface ResizeResult {
  /** As it was given. */
  path: string;
  /** What the image is. */
  format: ImageFormat;
  /** Bytes of the disk before. */
  before: number;
  /** Bytes of the disk now. */
  after: number;
}

/**
 * Makes the disk of an image larger, by zeros at its end, or smaller, where its end is all zeros. At any crash it has the old
 * or the new size.
 * @throws what `openWritable` throws; DISK_NOT_EMPTY where data would be cut off, DISK_SIZE, VHD_TOO_LARGE, VHD_SAVED_STATE, NO_SPACE
 */
export async function resizeImage(path: string, size: number, options: ResizeOptions = {}): Promise<ResizeResult> {
  throwIfAborted(options.signal);
  if (!(Number.isSafeInteger(size) && size > 0 && size % SECTOR === 0)) {
    throw new VhdvaultError('DISK_SIZE', `a disk of ${size} bytes is not a positive number of 512-byte sectors`, {
      hint: 'name a size that is a multiple of 512, for example 40GiB',
      details: { path, found: size },
    });
  }
  await using image = await openForWriting(path, options);
  const { format } = image.disk;
  const before = image.disk.size;
  refuseSuspended(image.layers[0]!, 'resized');
  if (size < before) await refuseData(image.disk, size, path, options.signal);
  await (size === before ? image.settle() : image.resize(size));
  return { path, format: format as ImageFormat, before, after: size };
}

/** @throws VHD_SAVED_STATE */
export function refuseSuspended({ source: { path }, footer }: Layer, what: string): void {
  if (!footer?.savedState) return;
  throw new VhdvaultError('VHD_SAVED_STATE', `${path} belongs to a suspended machine, and cannot be ${what}`, {
    hint: 'resume the machine and shut it down first',
    details: { path },
  });
}

const CHUNK: number = 2 * MIB;

/** What would be cut off is read to its end, so that the least size can be told. */
async function refuseData(disk: ImageDisk, size: number, path: string, signal?: AbortSignal): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  let end = 0;
  for await (const extent of disk.extents(size, disk.size - size)) {
    if (extent.kind === 'zero') continue;
    for (let at = extent.offset; at < extent.offset + extent.length; at += CHUNK) {
      throwIfAborted(signal);
      const chunk = buffer.subarray(0, Math.min(CHUNK, extent.offset + extent.length - at));
      await disk.read(at, chunk);
      if (!isZero(chunk)) end = at + chunk.findLastIndex((byte) => byte !== 0) + 1;
    }
  }
  if (end === 0) return;
  const least = roundUp(end, SECTOR);
  throw new VhdvaultError('DISK_NOT_EMPTY', `${path} has data up to byte ${end}, which ${size} bytes would cut off`, {
    hint: `shrink the partitions and file systems in it first; now it can become no smaller than ${least} bytes`,
    details: { path, expected: least, found: size },
  });
}
