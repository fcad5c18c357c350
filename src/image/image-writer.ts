import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { ioError, systemCode, VhdvaultError } from '../base/errors.ts';
import { SECTOR } from '../base/units.ts';
import { openSource } from '../io/source.ts';
import { writeFully } from '../io/write-fully.ts';
import type { BlockPlan, ImagePlan } from './image-plan.ts';
import { isZero } from './is-zero.ts';
import { encodeBat, UNALLOCATED } from './vhd/bat.ts';
import { bitmapBytes, fullBitmap } from './vhd/sector-bitmap.ts';

/** Writes the bytes of a disk to their places in an image. Several, in several threads, may write one image. */
export interface ImageWriter extends AsyncDisposable {
  /**
   * Writes a range of the disk. Zeros for a block that is not stored are dropped.
   * @throws DISK_RANGE; BUG for other bytes of a block that is not stored; NO_SPACE, IO, CANCELLED
   */
  write(offset: number, bytes: Uint8Array, options?: Cancellable): Promise<void>;
  /** Makes durable what was written. @throws IO, NO_SPACE, CANCELLED */
  sync(options?: Cancellable): Promise<void>;
}

/**
 * Creates the file of a planned image with everything but the disk's bytes: its size (sparse), headers, block table, bitmaps,
 * footers. A block device is only checked: that it is one, large enough, and not in use.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE, NO_SPACE, NO_PERMISSION, IO, CANCELLED
 */
export async function createPlannedImage(path: string, plan: ImagePlan, options: Cancellable = {}): Promise<void> {
  throwIfAborted(options.signal);
  if (plan.format === 'block-device') return await checkDevice(path, plan);
  const handle = await open(path, 'wx').catch((error: unknown) => {
    if (systemCode(error) !== 'EEXIST') throw ioError(error, 'creating', path);
    const hint = 'name another target, or overwrite it with --force';
    throw new VhdvaultError('TARGET_EXISTS', `${path} exists`, { hint, details: { path }, cause: error });
  });
  try {
    await writeStructures(handle, path, plan);
  } finally {
    await handle.close();
  }
}

/** Writes all of an image but the disk's bytes, and sets the size of its file. */
export async function writeStructures(handle: FileHandle, path: string, plan: ImagePlan): Promise<void> {
  await handle.truncate(plan.fileSize).catch((error: unknown) => {
    throw ioError(error, 'setting the size of', path);
  });
  if (plan.blocks) {
    await writeFully(handle, path, 0, plan.footer!);
    await writeFully(handle, path, plan.blocks.headerOffset, plan.blocks.header);
    const table = encodeBat(plan.blocks.bat);
    await writeFully(handle, path, plan.blocks.tableOffset, table);
    await writeFully(handle, path, plan.blocks.tableOffset + table.byteLength, plan.blocks.names);
    await writeBitmaps(handle, path, plan.blocks);
  }
  if (plan.footer) await writeFully(handle, path, plan.fileSize - SECTOR, plan.footer);
}

/** All bits set, as qemu and Windows do when they allocate. A few in flight: a large image has a million of them. */
async function writeBitmaps(handle: FileHandle, path: string, blocks: BlockPlan): Promise<void> {
  const bitmap = fullBitmap(blocks.blockSize);
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < blocks.bat.length) {
      const entry = blocks.bat[next++]!;
      if (entry !== UNALLOCATED) await writeFully(handle, path, entry * SECTOR, bitmap);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

/**
 * Opens a created image (or a block device) to write the disk's bytes.
 * @throws NOT_FOUND, NO_PERMISSION, IO, CANCELLED
 */
export async function openImageWriter(path: string, plan: ImagePlan, options: Cancellable = {}): Promise<ImageWriter> {
  throwIfAborted(options.signal);
  const handle = await open(path, 'r+').catch((error: unknown) => {
    throw ioError(error, 'opening', path);
  });
  return {
    write: async (offset, bytes, { signal } = {}) => {
      throwIfAborted(signal);
      checkRange(path, plan, offset, bytes.byteLength);
      if (plan.blocks) await writeBlocks(handle, path, plan.blocks, offset, bytes);
      else await writeFully(handle, path, offset, bytes);
    },
    sync: async ({ signal } = {}) => {
      throwIfAborted(signal);
      await handle.sync().catch((error: unknown) => {
        throw ioError(error, 'syncing', path);
      });
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

async function writeBlocks(
  handle: FileHandle,
  path: string,
  blocks: BlockPlan,
  offset: number,
  bytes: Uint8Array,
): Promise<void> {
  const { blockSize, bat } = blocks;
  let done = 0;
  while (done < bytes.byteLength) {
    const block = Math.floor((offset + done) / blockSize);
    const within = offset + done - block * blockSize;
    const part = bytes.subarray(done, done + blockSize - within);
    const entry = bat[block]!;
    if (entry !== UNALLOCATED) {
      await writeFully(handle, path, entry * SECTOR + bitmapBytes(blockSize) + within, part);
    } else if (!isZero(part)) {
      const details = { path, offset: offset + done, found: block };
      throw new VhdvaultError('BUG', `block ${block} of ${path} was planned as empty, but has data`, { details });
    }
    done += part.byteLength;
  }
}

function checkRange(path: string, plan: ImagePlan, offset: number, length: number): void {
  if (offset >= 0 && offset + length <= plan.size) return;
  const details = { path, offset, expected: plan.size, found: offset + length };
  throw new VhdvaultError('DISK_RANGE', `bytes ${offset} to ${offset + length} are not in a disk of ${plan.size}`, {
    details,
  });
}

async function checkDevice(path: string, plan: ImagePlan): Promise<void> {
  await using source = await openSource(path);
  const unusable = (message: string, hint: string): VhdvaultError =>
    new VhdvaultError('TARGET_UNUSABLE', message, { hint, details: { path, expected: plan.size, found: source.size } });
  if (!(await source.handle.stat()).isBlockDevice())
    throw unusable(`${path} is no block device`, 'name a file as raw or VHD');
  if (source.size < plan.size) {
    throw unusable(`${path} has ${source.size} bytes, the disk ${plan.size}`, 'use a larger device');
  }
  await refuseBusy(path);
}

/** On Linux, O_EXCL on a block device fails while it is mounted or claimed; elsewhere it says nothing. */
async function refuseBusy(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDWR | constants.O_EXCL).catch((error: unknown) => {
    if (systemCode(error) !== 'EBUSY') throw ioError(error, 'opening', path);
    const hint = 'unmount it first';
    throw new VhdvaultError('TARGET_UNUSABLE', `${path} is in use`, { hint, details: { path }, cause: error });
  });
  await handle.close();
}
