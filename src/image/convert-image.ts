import { type FileHandle, open } from 'node:fs/promises';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { KIB, MIB, SECTOR } from '../base/units.ts';
import { writeFully } from '../io/write-fully.ts';
import { DEFAULT_BLOCK_SIZE, planImage, type TargetFormat } from './image-plan.ts';
import { createPlannedImage, openImageWriter, writeStructures } from './image-writer.ts';
import { isZero } from './is-zero.ts';
import { type ImageDisk, openDisk } from './open-disk.ts';
import { claimTarget } from './target.ts';
import { layoutBlocks } from './vhd/block-layout.ts';
import { bitmapBytes } from './vhd/sector-bitmap.ts';

/** How to convert an image. */
export interface ConvertOptions extends Cancellable {
  /** What the target becomes. */
  format: 'fixed' | 'dynamic' | 'raw';
  /** Replace an existing target. */
  force?: boolean;
  /** See `openDisk`. */
  parentRoots?: readonly string[];
  /** What the source is; overrides what its content says. */
  sourceFormat?: 'vhd' | 'raw';
  /** Called after every chunk of at most 2 MiB. */
  onProgress?: (progress: ConvertProgress) => void;
  /** Of the target's unique id; default the system's. */
  random?: Random;
  /** The target's time stamp, milliseconds since 1970; default the time of now. */
  now?: number;
}

/** How far a conversion is. */
export interface ConvertProgress {
  /** Bytes of the disk that are behind us. */
  done: number;
  /** Bytes of the disk. */
  total: number;
}

/** What a conversion made. */
export interface ConvertResult {
  /** The target, as it was given. */
  path: string;
  /** What the target is. */
  format: TargetFormat;
  /** Bytes of the disk. */
  virtualSize: number;
  /** Of the disk's bytes: read from the source, written, and left out because they are zero. */
  bytes: { read: number; written: number; skipped: number };
}

const FORMATS = { fixed: 'vhd-fixed', dynamic: 'vhd-dynamic', raw: 'raw' } as const;

/**
 * Makes a new image of a disk: another type, or one flat image of a chain. Reads what is stored only; zeros stay unallocated
 * or sparse. The target appears whole or not at all.
 * @throws what `openDisk` throws; TARGET_EXISTS, TARGET_UNUSABLE, IMAGE_LOCKED, VHD_TOO_LARGE, NO_SPACE, SOURCE_CHANGED, CANCELLED
 */
export async function convertImage(source: string, target: string, options: ConvertOptions): Promise<ConvertResult> {
  const { parentRoots = [], sourceFormat, signal } = options;
  await using disk = await openDisk(source, {
    parentRoots,
    ...(sourceFormat && { format: sourceFormat }),
    ...(signal && { signal }),
  });
  const { force = false } = options;
  const sources = await disk.generation();
  await using claimed = await claimTarget(target, { force, sources });
  const bytes = await copy(disk, claimed.part, options);
  if (JSON.stringify(await disk.generation()) !== JSON.stringify(sources)) throw changed(source);
  await claimed.publish();
  return { path: target, format: FORMATS[options.format], virtualSize: disk.size, bytes };
}

function changed(path: string): VhdvaultError {
  return new VhdvaultError('SOURCE_CHANGED', `${path} was written to while it was converted`, {
    hint: 'stop the machine, or convert a snapshot',
    details: { path },
  });
}

/** Where the bytes go. */
interface Sink extends AsyncDisposable {
  put(offset: number, bytes: Uint8Array): Promise<void>;
  /** Writes what can only be known at the end. */
  finish(): Promise<void>;
}

const CHUNK = 2 * MIB;
/** Zeros are left out by cells of this size. */
const CELL = 64 * KIB;

/** Reads one chunk while the one before is written. */
async function copy(disk: ImageDisk, part: string, options: ConvertOptions): Promise<ConvertResult['bytes']> {
  await using sink = await openSink(disk.size, part, options);
  const buffers = [new Uint8Array(CHUNK), new Uint8Array(CHUNK)];
  let writing: Promise<number> = Promise.resolve(0);
  let read = 0;
  let written = 0;
  try {
    for await (const { offset, length } of storedChunks(disk)) {
      throwIfAborted(options.signal);
      const chunk = buffers[0]!.subarray(0, length);
      await disk.read(offset, chunk, options.signal ? { signal: options.signal } : {});
      read += length;
      written += await writing;
      writing = putCells(sink, offset, chunk);
      // A failed write is met at the next await; until then it must not count as unhandled.
      writing.catch(() => {});
      buffers.reverse();
      options.onProgress?.({ done: offset + length, total: disk.size });
    }
  } finally {
    written += await writing;
  }
  throwIfAborted(options.signal);
  await sink.finish();
  options.onProgress?.({ done: disk.size, total: disk.size });
  return { read, written, skipped: disk.size - written };
}

async function* storedChunks(disk: ImageDisk): AsyncGenerator<{ offset: number; length: number }> {
  for await (const extent of disk.extents()) {
    if (extent.kind === 'zero') continue;
    const end = extent.offset + extent.length;
    for (let offset = extent.offset; offset < end; ) {
      const stop = Math.min(end, (Math.floor(offset / CHUNK) + 1) * CHUNK);
      yield { offset, length: stop - offset };
      offset = stop;
    }
  }
}

async function putCells(sink: Sink, offset: number, chunk: Uint8Array): Promise<number> {
  const zeroAt = (at: number): boolean => isZero(chunk.subarray(at, at + CELL));
  let written = 0;
  let at = 0;
  while (at < chunk.byteLength) {
    const from = at;
    while (at < chunk.byteLength && !zeroAt(at)) at += CELL;
    const run = chunk.subarray(from, at);
    if (run.byteLength > 0) await sink.put(offset + from, run);
    written += run.byteLength;
    at += CELL;
  }
  return written;
}

async function openSink(size: number, part: string, options: ConvertOptions): Promise<Sink> {
  const format = FORMATS[options.format];
  if (format === 'vhd-dynamic') return await openDynamicSink(size, part, options);
  const plan = planImage({ format, size, ...stampOf(options) });
  await createPlannedImage(part, plan);
  const writer = await openImageWriter(part, plan);
  return {
    put: (offset, bytes) => writer.write(offset, bytes),
    finish: async () => {},
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

function stampOf({ random = systemRandom, now = systemClock.now() }: ConvertOptions): { random: Random; now: number } {
  return { random, now };
}

/**
 * Which blocks are all zero is known only when they were read, but the n-th stored block's place is known before: blocks are
 * laid out in the order of the disk. So the data is written in one pass, and the table, made by the usual plan, at the end.
 */
async function openDynamicSink(size: number, part: string, options: ConvertOptions): Promise<Sink> {
  const blockSize = DEFAULT_BLOCK_SIZE;
  const layout = layoutBlocks(size, blockSize, Math.ceil(size / blockSize));
  const handle: FileHandle = await open(part, 'wx').catch((error: unknown) => {
    throw ioError(error, 'creating', part);
  });
  const slots = new Map<number, number>();
  return {
    put: async (offset, bytes) => {
      const block = Math.floor(offset / blockSize);
      const slot = slots.get(block) ?? slots.size;
      slots.set(block, slot);
      const data = layout.sectorOf(slot) * SECTOR + bitmapBytes(blockSize);
      await writeFully(handle, part, data + offset - block * blockSize, bytes);
    },
    finish: async () => {
      const isAllocated = (block: number): boolean => slots.has(block);
      await writeStructures(
        handle,
        part,
        planImage({ format: 'vhd-dynamic', size, blockSize, ...stampOf(options), isAllocated }),
      );
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
