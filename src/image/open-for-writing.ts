import { type FileHandle, open } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { MIB, roundUp, SECTOR } from '../base/units.ts';
import { writeFully } from '../io/write-fully.ts';
import { lockImage } from './image-lock.ts';
import { chainDisk, type ImageDisk, type OpenDiskOptions } from './open-disk.ts';
import { adopt } from './vhd/adopt.ts';
import { type BitmapCache, bitmapCache, readBitmap } from './vhd/bitmap-cache.ts';
import { type BlockFile, begin, makeDurable, openBlockFile } from './vhd/block-file.ts';
import { findFooter } from './vhd/find-footer.ts';
import { resizeFlat } from './vhd/flat-file.ts';
import type { Layer } from './vhd/layer.ts';
import type { NamedParent } from './vhd/name-parent.ts';
import { closeLayers, openChain } from './vhd/open-chain.ts';
import { locateInSteps, ZERO } from './vhd/pieces.ts';
import { growBlocks, shrinkBlocks } from './vhd/resize-blocks.ts';
import { cutBehind } from './vhd/switch-header.ts';
import { isRoomAhead, syncBlocks, writeBlocks } from './vhd/write-blocks.ts';

/** An image that is open for writing, with all that can be done to it. One thing at a time; closing it syncs. */
export interface ImageFile {
  /** The image first, then its parents. */
  readonly layers: readonly Layer[];
  readonly disk: ImageDisk;
  /** Whole sectors. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  /** Larger, by zeros; or smaller, whatever is cut off. `disk` is not to be used after it. */
  resize(size: number): Promise<void>;
  /** Only of a differencing image: gives it another parent. */
  adopt(parentUniqueId: Uint8Array, parent: NamedParent): Promise<void>;
  /** Finishes what somebody was interrupted in who had changed the header or the footer. */
  settle(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @throws what `openDisk` throws; IMAGE_LOCKED, TARGET_UNUSABLE for a block device, NO_PERMISSION */
export async function openForWriting(path: string, options: OpenDiskOptions): Promise<ImageFile> {
  await using opened = new AsyncDisposableStack();
  opened.use(await lockImage(path));
  const { layers, broken } = await openChain(path, options);
  opened.defer(() => closeLayers(layers));
  if (broken) throw broken;
  const [image] = layers as [Layer];
  if (image.format === 'block-device') {
    const hint = 'name an image file';
    throw new VhdvaultError('TARGET_UNUSABLE', `${path} is a block device`, { hint, details: { path } });
  }
  const handle = await open(image.source.path, 'r+').catch((error: unknown) => {
    throw ioError(error, 'opening for writing', path);
  });
  opened.defer(() => handle.close());
  const file = once(
    image.blocks ? blockImage(layers, await openBlockFile(image, handle)) : await flatImage(layers, handle),
  );
  const all = opened.move();
  return {
    ...file,
    [Symbol.asyncDispose]: async () => {
      if (all.disposed) return;
      await using _ = all;
      await file.close();
    },
  };
}

type OpenedFile = Omit<ImageFile, typeof Symbol.asyncDispose> & { close: () => Promise<void> };

/** After an error that was told, closing tells no other one: it would stand before the first. */
function once(file: OpenedFile): OpenedFile {
  let isTold = false;
  let isUsed = false;
  const told = async (work: Promise<void>): Promise<void> => {
    isUsed = true;
    isTold = true;
    await work;
    isTold = false;
  };
  return {
    ...file,
    write: (offset, bytes) => told(file.write(offset, bytes)),
    sync: () => told(file.sync()),
    resize: (size) => told(file.resize(size)),
    adopt: (parentUniqueId, parent) => told(file.adopt(parentUniqueId, parent)),
    settle: () => told(file.settle()),
    close: async () => {
      if (!isUsed) return;
      await file.close().catch((error: unknown) => {
        if (!isTold) throw error;
      });
    },
  };
}

function blockImage(layers: readonly Layer[], file: BlockFile): OpenedFile {
  const [image] = layers as [Layer];
  const { end, limit } = file;
  return {
    layers,
    disk: chainDisk(layers, freshBitmaps(layers, file)),
    write: (offset, bytes) => writeBlocks(file, offset, bytes),
    sync: () => syncBlocks(file),
    resize: async (size) => {
      await syncBlocks(file);
      if (size > file.footer.currentSize) await growBlocks(file, size, await covered(layers, size));
      else await shrinkBlocks(file, size);
      image.size = size;
    },
    adopt: async (parentUniqueId, parent) => {
      await syncBlocks(file);
      await adopt(file, parentUniqueId, parent);
    },
    settle: async () => {
      if (file.begun) return;
      await begin(file);
      await cutBehind(file, roundUp(file.end, SECTOR));
    },
    close: async () => {
      // Whoever synced was told.
      if (file.failed) return;
      await syncBlocks(file);
      const last = roundUp(file.end, SECTOR);
      const isOurs = file.end > end || file.limit > limit || isRoomAhead(file.limit - last);
      if (file.begun && isOurs && file.limit > last) await cutBehind(file, last).catch(() => {});
    },
  };
}

/** Of the image itself, whose bitmaps change, none are kept but those that are not written yet. */
function freshBitmaps(layers: readonly Layer[], file: BlockFile): BitmapCache {
  const kept = bitmapCache(layers);
  return {
    get: (level, block) => (level === 0 ? file.bitmaps.get(block) : kept.get(level, block)),
    load: (level, block) => (level === 0 ? readBitmap(layers[0]!, block) : kept.load(level, block)),
  };
}

/** So small gaps are made zeros too, which they are already: few ranges take little memory. */
const MOST_GAP: number = 16 * MIB;

/** The ranges from the end of the image on where its parent stores something. */
async function covered(layers: readonly Layer[], size: number): Promise<{ offset: number; length: number }[]> {
  const [image, parent] = layers;
  if (image!.format !== 'vhd-differencing' || !parent || parent.size <= image!.size) return [];
  const parents = layers.slice(1);
  const chain = { layers: parents, bitmaps: bitmapCache(parents) };
  const ranges: { offset: number; length: number }[] = [];
  for await (const pieces of locateInSteps(chain, image!.size, Math.min(size, parent.size))) {
    for (const { layer, offset, length } of pieces) {
      const last = ranges.at(-1);
      if (layer === ZERO) continue;
      if (last && offset - last.offset - last.length <= MOST_GAP) last.length = offset + length - last.offset;
      else ranges.push({ offset, length });
    }
  }
  return ranges;
}

async function flatImage(layers: readonly Layer[], handle: FileHandle): Promise<OpenedFile> {
  const [image] = layers as [Layer];
  const { path } = image.source;
  const limit = image.footer ? (await findFooter(image.source))!.limit : image.source.size;
  const file = { handle, path, size: image.size, footer: image.footer, limit, failed: false };
  const sync = (): Promise<void> => makeDurable(file);
  return {
    layers,
    disk: chainDisk(layers),
    write: (offset, bytes) => writeFully(handle, path, offset, bytes),
    sync,
    resize: async (size) => {
      await sync();
      await resizeFlat(file, size);
      image.size = size;
    },
    settle: async () => {
      if (file.footer && file.limit > file.size) await resizeFlat(file, file.size);
    },
    adopt: () => Promise.reject(new VhdvaultError('BUG', `${path} has no parent to replace`)),
    close: async () => {
      if (!file.failed) await sync();
    },
  };
}
