import type { Cancellable } from '../base/abort.ts';
import { isError, type VhdvaultError } from '../base/errors.ts';
import type { Finding } from '../base/finding.ts';
import { asFinding } from './check/report.ts';
import { type Child, findChildrenOfAll } from './find-children.ts';
import { type ImageFacts, imageFacts } from './image-facts.ts';
import type { OpenDiskOptions } from './open-disk.ts';
import { factsOf } from './vhd/facts.ts';
import { openImageFile } from './vhd/recognise.ts';
import { parseUniqueId } from './vhd/unique-id.ts';

/** An image that names one of a chain as its parent, and is not of the chain itself. */
export interface ChainChild extends Child {
  /** The image of the chain that it names, by its path in the facts. */
  parent: string;
  /** Its own, without a parent; null when it cannot be opened, which is then among the findings. */
  facts: ImageFacts | null;
}

/**
 * Describes an image with its ancestors, as `imageFacts` does, and tells who else depends on each of them: the children that
 * `findChildren` finds, sorted by path.
 * @throws what `imageFacts` throws
 */
export async function imageChain(
  path: string,
  options: OpenDiskOptions = {},
): Promise<{ facts: ImageFacts; findings: Finding[]; children: ChainChild[] }> {
  const { facts, findings } = await imageFacts(path, options);
  const children: ChainChild[] = [];
  try {
    for (const child of await childrenOf(facts, options)) {
      const { own, trouble } = await openChild(child.path);
      children.push({ ...child, facts: own });
      if (trouble) findings.push({ ...asFinding(trouble, child.path), severity: 'warning' });
    }
  } catch (error) {
    if (!isError(error, 'NO_PERMISSION', 'IO')) throw error;
    findings.push(unknown(error, path));
  }
  return { facts, findings, children };
}

async function childrenOf(facts: ImageFacts, options: OpenDiskOptions): Promise<Omit<ChainChild, 'facts'>[]> {
  const { parentRoots = [], signal } = options;
  // The folder of a block device holds devices.
  const images = imagesOf(facts).filter(({ format }) => format !== 'block-device');
  const possible = images.map((image) => ({
    path: image.path,
    uniqueId: image.uniqueId === null ? null : parseUniqueId(image.uniqueId),
  }));
  const cancellable: Cancellable = signal ? { signal } : {};
  const found = await findChildrenOfAll(possible, parentRoots, cancellable);
  return found
    .flatMap((children, n) => children.map((child) => ({ ...child, parent: images[n]!.path })))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function imagesOf(facts: ImageFacts): ImageFacts[] {
  return [facts, ...(facts.parent ? imagesOf(facts.parent) : [])];
}

async function openChild(path: string): Promise<{ own: ImageFacts | null; trouble?: VhdvaultError }> {
  try {
    const layer = await openImageFile(path, 'vhd');
    await layer.source[Symbol.asyncDispose]();
    return { own: factsOf([layer]) };
  } catch (error) {
    if (isError(error)) return { own: null, trouble: error };
    throw error;
  }
}

/** Nothing depends on it here, so it is no warning: merging refuses for it. */
function unknown({ message, hint = '' }: VhdvaultError, where: string): Finding {
  const what = `not all children could be looked for: ${message}`;
  return { severity: 'info', code: 'VHD_CHILDREN_UNKNOWN', what, where, cure: hint };
}
