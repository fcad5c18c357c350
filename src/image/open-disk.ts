import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import type { Disk, Extent, ExtentKind, ExtentsOptions, Generation } from '../disk/disk.ts';
import { type BitmapCache, bitmapCache } from './vhd/bitmap-cache.ts';
import { factsOf, type ImageFacts } from './vhd/facts.ts';
import { generationOf } from './vhd/generation.ts';
import type { Layer } from './vhd/layer.ts';
import { type ChainOptions, closeLayers, openChain } from './vhd/open-chain.ts';
import { type Chain, locate, locateInSteps, type Piece, ZERO } from './vhd/pieces.ts';
import { readPieces } from './vhd/read-pieces.ts';

/** A disk in a file or block device, with its ancestors if it has any. */
export interface ImageDisk extends Disk {
  /** What the image says about itself and its parents. */
  readonly facts: ImageFacts;
}

/** How to open an image. */
export interface OpenDiskOptions extends Cancellable {
  /** Overrides what the content says. */
  format?: 'vhd' | 'raw';
  /**
   * Folders in which the parents of a differencing image may lie, besides its own: that of the path that was given, and that
   * of the file which it leads to when it is a symbolic link. A parent that is a link is opened where the link leads into
   * one of these folders.
   */
  parentRoots?: readonly string[];
}

/**
 * Opens an image: a fixed, dynamic or differencing VHD (with its chain of parents), a raw file, or a block device. What it is
 * is decided by the footer at its end. The size is the current size of the footer, never its geometry. Format: Microsoft's
 * Virtual Hard Disk Image Format Specification, 1.0.
 *
 * Reads may run at the same time; memory is 4 bytes per block of each image, and 8 MiB of bitmaps.
 * @throws DISK_* when it is no image; VHD_* when it is a damaged one or its parents are; USAGE for a parent root that is no folder;
 * NOT_FOUND, NO_PERMISSION, IO
 */
export async function openDisk(path: string, options: OpenDiskOptions = {}): Promise<ImageDisk> {
  throwIfAborted(options.signal);
  const { layers, broken } = await openChain(path, options satisfies ChainOptions);
  if (broken) {
    await closeLayers(layers);
    throw broken;
  }
  return chainDisk(layers);
}

/** The disk of an opened chain, its image first. */
export function chainDisk(layers: readonly Layer[], bitmaps: BitmapCache = bitmapCache(layers)): ImageDisk {
  const [image] = layers as [Layer];
  const chain: Chain = { layers, bitmaps };
  return {
    size: image.size,
    format: image.format,
    findings: layers.flatMap((layer) => layer.findings),
    facts: factsOf(layers),
    read: async (offset, target, options = {}) => {
      throwIfAborted(options.signal);
      checkRange(image, offset, target.byteLength);
      const pieces = await locate(chain, offset, offset + target.byteLength);
      await readPieces({ layers, pieces, offset, target, signal: options.signal });
    },
    extents: (offset = 0, length = image.size - offset, options = {}) => extentsOf(chain, offset, length, options),
    generation: async (options = {}) => {
      throwIfAborted(options.signal);
      return await Promise.all(layers.map((layer): Promise<Generation> => generationOf(layer)));
    },
    [Symbol.asyncDispose]: () => closeLayers(layers),
  };
}

async function* extentsOf(
  chain: Chain,
  offset: number,
  length: number,
  { top = 1, signal }: ExtentsOptions,
): AsyncGenerator<Extent> {
  checkRange(chain.layers[0]!, offset, length);
  let open: Extent | undefined;
  for await (const pieces of locateInSteps(chain, offset, offset + length, signal)) {
    for (const piece of pieces) {
      const kind = kindOf(piece, top);
      if (open?.kind === kind) open.length += piece.length;
      else {
        if (open) yield open;
        open = { offset: piece.offset, length: piece.length, kind };
      }
    }
  }
  if (open) yield open;
}

function kindOf(piece: Piece, top: number): ExtentKind {
  if (piece.layer === ZERO) return 'zero';
  return piece.layer < top ? 'data' : 'parent';
}

function checkRange(layer: Layer, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= layer.size) return;
  const { path } = layer.source;
  throw new VhdvaultError('DISK_RANGE', `bytes ${offset} to ${offset + length} are not in ${path} of ${layer.size}`, {
    details: { path, offset, expected: layer.size, found: offset + length },
  });
}
