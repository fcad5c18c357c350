import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import { isThere } from '../io/is-there.ts';
import { findChildrenOfAll } from './find-children.ts';
import { imageFacts } from './image-facts.ts';
import { dropFinished, dropJournal, isMerged, readJournal, stampOf } from './merge-journal.ts';
import { formatOf, mergeLink, ownPieces } from './merge-link.ts';
import { refuseSuspended } from './resize-image.ts';
import type { ImageFormat, Layer } from './vhd/layer.ts';
import { closeLayers, openChain } from './vhd/open-chain.ts';

/** How to merge. */
export interface MergeOptions extends Cancellable {
  /** `parent`: one link, into the parent (default). `base`: the whole chain, link by link, into the image without a parent. */
  into?: 'parent' | 'base';
  /** See `openDisk`. Other children of the parent are looked for there, too. */
  parentRoots?: readonly string[];
  /** What the child is; see `openDisk`. */
  format?: 'vhd' | 'raw';
  /** Called after every chunk of at most 2 MiB. */
  onProgress?: (progress: MergeProgress) => void;
}

/** How far a merge is. */
export interface MergeProgress {
  /** Bytes copied so far. */
  done: number;
  /** Bytes to copy. */
  total: number;
}

/** What a merge did. */
export interface MergeResult {
  /** The image that has it all now. */
  path: string;
  /** What it is. */
  format: ImageFormat;
  /** Bytes of its disk now. */
  virtualSize: number;
  /** The children that were merged and removed, in this order. */
  merged: string[];
  /** Children of what was merged: they name the new parent now. */
  adopted: string[];
  /** Bytes that were copied. */
  bytes: number;
}

/**
 * Merges a differencing image into its parent, sector by sector, and removes it; its own children become children of the
 * parent. At any crash every disk reads as before or as after, and calling it again goes on.
 * @throws what `openWritable` throws of the parent; VHD_HAS_CHILDREN where other children name the parent, VHD_SAVED_STATE,
 * USAGE for an image without a parent, SOURCE_CHANGED, NO_SPACE, CANCELLED
 */
export async function mergeImage(child: string, options: MergeOptions = {}): Promise<MergeResult> {
  throwIfAborted(options.signal);
  const finished = await finish(child);
  if (finished !== null) return await resultOf(finished, { merged: [child], adopted: [], bytes: 0 });
  const tip = await realpath(child).catch((error: unknown) => {
    throw ioError(error, 'opening', child);
  });
  const { links, base, format, total, folders } = await planMerge(tip, options);
  const sums = { merged: [] as string[], adopted: [] as string[], bytes: 0 };
  // The lowest first: all above go on reading through it until it is in its parent.
  for (const link of links.toReversed()) {
    const before = sums.bytes;
    const onBytes = (bytes: number): void => options.onProgress?.({ done: before + bytes, total });
    const merged = await mergeLink(link, { ...options, folders, onBytes });
    sums.bytes += merged.bytes;
    sums.merged.push(link);
    sums.adopted.push(...merged.adopted.filter((path) => !links.includes(path)));
  }
  return await resultOf({ path: base, format, folders }, sums);
}

interface Merged {
  path: string;
  format: 'vhd' | 'raw';
  folders: readonly string[];
}

/** A crash may have come between the end of the child and the end of its journal. */
async function finish(child: string): Promise<Merged | null> {
  if (await isThere(child)) return null;
  const journal = await readJournal(child);
  if (!journal) return null;
  if (journal.parentStamp !== (await stampOf(journal.parent))) throw parentChanged(child, journal.parent);
  await dropJournal(child);
  return { path: journal.parent, format: journal.format, folders: [dirname(child)] };
}

async function resultOf(
  { path, format, folders }: Merged,
  sums: Pick<MergeResult, 'merged' | 'adopted' | 'bytes'>,
): Promise<MergeResult> {
  const { facts } = await imageFacts(path, { format, parentRoots: folders });
  return { path, format: facts.format, virtualSize: facts.currentSize, ...sums };
}

interface Plan {
  /** The children that are to be merged, the highest first. */
  links: string[];
  base: string;
  /** What a guest wrote into a raw base does not tell what it is. */
  format: 'vhd' | 'raw';
  /** Bytes to copy. */
  total: number;
  folders: string[];
}

/** Looks at all links before anything is done. */
async function planMerge(tip: string, options: MergeOptions): Promise<Plan> {
  const { format, parentRoots = [], into = 'parent' } = options;
  const { layers, broken } = await openChain(tip, { parentRoots, ...(format && { format }) });
  try {
    if (layers.length === 1 && !broken) throw parentless(tip);
    if (broken) throw broken;
    const folders = [...new Set([...layers.map(({ source }) => dirname(source.path)), ...parentRoots])];
    const count = into === 'base' ? layers.length - 1 : 1;
    let total = 0;
    for (const [i, link] of layers.slice(0, count).entries()) {
      const parent = layers[i + 1]!;
      refuseSuspended(link, 'merged');
      refuseSuspended(parent, 'merged into');
      if (!(await isMerged(pathOf(link), pathOf(parent)))) await refuseOthers(link, parent, folders, options.signal);
      for await (const { length } of ownPieces(layers.slice(i))) total += length;
    }
    const base = layers[count]!;
    return { links: layers.slice(0, count).map(pathOf), base: pathOf(base), format: formatOf(base), total, folders };
  } finally {
    await closeLayers(layers);
  }
}

function pathOf({ source }: Layer): string {
  return source.path;
}

/** Other children of the parent would change with it. One whose merge came to all but its end is merged to the end instead. */
async function refuseOthers(
  link: Layer,
  parent: Layer,
  folders: readonly string[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = pathOf(parent);
  await dropFinished(path, folders);
  const images = [parent, link].map((image) => ({ path: pathOf(image), uniqueId: image.footer?.uniqueId ?? null }));
  const [children] = await findChildrenOfAll(images, folders, signal ? { signal } : {});
  const others: string[] = [];
  let isFinished = false;
  for (const child of children!) {
    if (await isMerged(child.path, path)) {
      await mergeLink(child.path, { folders });
      isFinished = true;
    } else others.push(child.path);
  }
  // Its children are the parent's now.
  if (isFinished) return await refuseOthers(link, parent, folders, signal);
  if (others.length === 0) return;
  const what = `${path} has other children: ${others.join(', ')}`;
  throw new VhdvaultError('VHD_HAS_CHILDREN', what, {
    hint: 'merging would change what they read: merge or remove them first, or convert the chain to a new image',
    details: { path, child: pathOf(link), found: others.join('\n') },
  });
}

function parentChanged(child: string, parent: string): VhdvaultError {
  const what = `${child} was merged into ${parent} and removed, and that was written to or replaced since`;
  return new VhdvaultError('SOURCE_CHANGED', what, {
    hint: `nothing is left to merge; if ${parent} was put back from a copy made before the merge, put ${child} back from one of that time, too`,
    details: { path: parent, child },
  });
}

function parentless(path: string): VhdvaultError {
  return new VhdvaultError('USAGE', `${path} has no parent to be merged into`, {
    hint: 'name a differencing image',
    details: { path },
  });
}
