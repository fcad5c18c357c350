import { type Cancellable, throwIfAborted } from '../../base/abort.ts';
import { isError, VhdvaultError } from '../../base/errors.ts';
import { fileIdentity } from '../../io/file-identity.ts';
import { openParent } from './find-parent.ts';
import type { Layer } from './layer.ts';
import { allowedFolders } from './parent-folders.ts';
import { openImageFile } from './recognise.ts';

export interface ChainOptions extends Cancellable {
  /** Overrides what the content says. */
  format?: 'vhd' | 'raw';
  /** Folders, besides the image's own, in which parents may lie. */
  parentRoots?: readonly string[];
}

export interface OpenedChain {
  /** The image first. */
  layers: Layer[];
  /** Why the chain ends before its base; null when it is whole. */
  broken: VhdvaultError | null;
}

/** Far more than any program makes, and still few enough open files. */
const MOST_LAYERS = 1024;

/**
 * Opens an image and all its ancestors. What is wrong with an ancestor is returned, so that the rest can still be shown.
 * @throws what opening the image itself throws; USAGE, NOT_FOUND for a parent root that is no folder
 */
export async function openChain(path: string, options: ChainOptions): Promise<OpenedChain> {
  const { format, parentRoots = [], signal } = options;
  const image = await openImageFile(path, format);
  const layers = [image];
  if (image.format !== 'vhd-differencing') return { layers, broken: null };
  const allowed = await allowedFolders(path, parentRoots).catch(async (error: unknown) => {
    await closeLayers(layers);
    throw error;
  });
  const visited = new Set<string>();
  try {
    for (;;) {
      const child = layers[layers.length - 1]!;
      if (child.format !== 'vhd-differencing') return { layers, broken: null };
      throwIfAborted(signal);
      visited.add(await fileIdentity(child.source.path));
      if (layers.length >= MOST_LAYERS) throw tooDeep(path);
      layers.push(await openParent({ child, allowed, visited, told: format === 'vhd', signal }));
    }
  } catch (error) {
    if (isError(error) && error.code !== 'CANCELLED') return { layers, broken: error };
    await closeLayers(layers);
    throw error;
  }
}

export async function closeLayers(layers: readonly Layer[]): Promise<void> {
  for (const layer of layers) await layer.source[Symbol.asyncDispose]();
}

function tooDeep(path: string): VhdvaultError {
  return new VhdvaultError('VHD_CHAIN', `${path} has more than ${MOST_LAYERS} ancestors`, {
    hint: 'merge or convert the chain on the host that made it',
    details: { path, expected: MOST_LAYERS },
  });
}
