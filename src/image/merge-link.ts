import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { MIB } from '../base/units.ts';
import { syncFolder } from '../io/folder.ts';
import { lockImage } from './image-lock.ts';
import { adoptHeir, type HeirOptions, openHeirs, settleAdopted } from './merge-heirs.ts';
import { dropJournal, isMerged, stampOf, writeJournal } from './merge-journal.ts';
import { openForWriting } from './open-for-writing.ts';
import { bitmapCache } from './vhd/bitmap-cache.ts';
import type { Layer } from './vhd/layer.ts';
import { closeLayers, openChain } from './vhd/open-chain.ts';
import { locateInSteps, type Piece } from './vhd/pieces.ts';

export interface LinkOptions extends HeirOptions {
  /** What the child is; see `openDisk`. */
  format?: 'vhd' | 'raw';
  /** Told how many bytes of this link are copied. */
  onBytes?: (bytes: number) => void;
}

export interface MergedLink {
  parent: Layer;
  /** Paths of children of the child. */
  adopted: string[];
  bytes: number;
}

/**
 * Merges a differencing image into its parent. Everything reads as before until its last step, since the child goes on reading
 * its own sectors wherever else they are.
 *
 * 1. the parent is grown, if it is smaller;  2. the child's sectors are copied into it, and durable;  3. it is cut, if it is
 * larger;  4. the journal;  5. children of the child become the parent's;  6. the child goes;  7. the journal goes.
 */
export async function mergeLink(path: string, options: LinkOptions): Promise<MergedLink> {
  await using opened = new AsyncDisposableStack();
  // Before it is read: another merge may just be writing to it.
  opened.use(await lockImage(path));
  const { layers, broken } = await openChain(path, {
    parentRoots: options.folders,
    ...(options.format && { format: options.format }),
  });
  opened.defer(() => closeLayers(layers));
  if (broken) throw broken;
  const [child, parent] = layers as [Layer, Layer];
  if (!parent) throw changed(path);
  const stamp = await stampOf(path);
  const isCopied = await isMerged(path, parent.source.path);
  if (isCopied) await settleAdopted(child, parent, options);
  const heirs = await openHeirs(child, parent, options);
  for (const heir of heirs) opened.use(heir);
  const bytes = isCopied ? 0 : await copyChild(layers, options);
  if ((await stampOf(path)) !== stamp) throw changed(path);
  if (!isCopied) await writeJournal(path, { parent: parent.source.path, format: formatOf(parent), stamp });
  for (const heir of heirs) await adoptHeir(heir);
  await rm(path).catch((error: unknown) => {
    throw ioError(error, 'removing', path);
  });
  await syncFolder(dirname(path));
  await dropJournal(path);
  return { parent, adopted: heirs.map(({ file }) => file.layers[0]!.source.path), bytes };
}

async function copyChild(layers: readonly Layer[], { folders, signal, onBytes }: LinkOptions): Promise<number> {
  const [child, parent] = layers as [Layer, Layer];
  await using target = await openForWriting(parent.source.path, {
    format: formatOf(parent),
    parentRoots: folders,
  });
  if (target.disk.size < child.size) await target.resize(child.size);
  const buffer = new Uint8Array(CHUNK);
  let copied = 0;
  for await (const { offset, length, position } of ownPieces(layers)) {
    for (let done = 0; done < length; done += CHUNK) {
      throwIfAborted(signal);
      const part = buffer.subarray(0, Math.min(CHUNK, length - done));
      await child.source.read(position + done, part);
      await target.write(offset + done, part);
      copied += part.byteLength;
      onBytes?.(copied);
    }
  }
  await target.sync();
  if (target.disk.size > child.size) await target.resize(child.size);
  return copied;
}

export function formatOf({ format }: Layer): 'vhd' | 'raw' {
  return format === 'raw' ? 'raw' : 'vhd';
}

const CHUNK: number = 2 * MIB;

/** The ranges of the disk that the image itself stores. */
export async function* ownPieces(layers: readonly Layer[]): AsyncGenerator<Piece> {
  const chain = { layers, bitmaps: bitmapCache(layers) };
  const { size } = layers[0]!;
  for await (const pieces of locateInSteps(chain, 0, size)) {
    for (const piece of pieces) if (piece.layer === 0) yield piece;
  }
}

function changed(path: string): VhdvaultError {
  return new VhdvaultError('SOURCE_CHANGED', `${path} was written to while it was merged`, {
    hint: 'stop the machine that uses it, and merge again; nothing is lost',
    details: { path },
  });
}
