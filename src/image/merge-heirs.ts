import { basename, dirname } from 'node:path';
import type { Cancellable } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { findChildren } from './find-children.ts';
import { type ImageFile, openForWriting } from './open-for-writing.ts';
import { openParent } from './vhd/find-parent.ts';
import type { Layer } from './vhd/layer.ts';
import { type NamedParent, parentNames, siblingPath } from './vhd/name-parent.ts';
import { allowedFolders } from './vhd/parent-folders.ts';

export interface HeirOptions extends Cancellable {
  /** Where parents and children are looked for. */
  folders: readonly string[];
}

/** A child of what is merged, which becomes the parent's. */
export interface Heir extends AsyncDisposable {
  file: ImageFile;
  /** How it will name its new parent. */
  names: NamedParent;
  parentUniqueId: Uint8Array;
}

/** The first run may have been interrupted while it gave one of them its new parent. */
export async function settleAdopted(child: Layer, parent: Layer, { folders, signal }: HeirOptions): Promise<void> {
  const image = { path: parent.source.path, uniqueId: parent.footer?.uniqueId ?? null };
  for (const { path } of await findChildren(image, folders, signal ? { signal } : {})) {
    if (path === child.source.path) continue;
    await using heir = await openForWriting(path, { parentRoots: folders });
    await heir.settle();
  }
}

/**
 * Opened before anything is done, so that one which cannot be written to, or would not find its new parent, is met in time.
 * @throws VHD_HAS_CHILDREN for one that cannot be given the new parent, and what `openWritable` throws
 */
export async function openHeirs(child: Layer, parent: Layer, { folders, signal }: HeirOptions): Promise<Heir[]> {
  const self = { path: child.source.path, uniqueId: child.footer!.uniqueId };
  const children = await findChildren(self, folders, signal ? { signal } : {});
  const heirs: Heir[] = [];
  await using opened = new AsyncDisposableStack();
  for (const { path } of children) {
    const file = opened.use(await openForWriting(path, { parentRoots: folders }));
    const [image, under] = file.layers as [Layer, Layer];
    if (under.format === 'raw') throw unfit(image, child, `it reads the file ${child.source.path} as a raw disk`);
    const names = await namesFor(image, child, parent);
    const parentUniqueId = parent.footer?.uniqueId ?? new Uint8Array(16);
    await refuseLost({ image, child, parent, names, parentUniqueId }, folders);
    heirs.push({ file, names, parentUniqueId, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() });
  }
  opened.move();
  return heirs;
}

export async function adoptHeir({ file, names, parentUniqueId }: Heir): Promise<void> {
  await file.adopt(parentUniqueId, names);
}

async function namesFor(image: Layer, child: Layer, parent: Layer): Promise<NamedParent> {
  const from = child.source.path;
  const to = parent.source.path;
  const old = image.locators.find(({ code }) => code === 'W2ku')?.path;
  return await parentNames({
    child: image.source.path,
    parent: to,
    codes: ['W2ru', 'W2ku', 'MacX'],
    windowsPath: dirname(from) === dirname(to) ? siblingPath(old, basename(to)) : undefined,
  });
}

/** Not every name can be written into a VHD, as one with a backslash; and a raw parent is only opened for an image named .vhd. */
async function refuseLost(
  heir: { image: Layer; child: Layer; parent: Layer; names: NamedParent; parentUniqueId: Uint8Array },
  folders: readonly string[],
): Promise<void> {
  const { image, child, parent, names, parentUniqueId } = heir;
  const header = { ...image.header!, parentName: names.name, parentUniqueId };
  const allowed = await allowedFolders(image.source.path, folders);
  const adopted = { ...image, header, locators: names.paths };
  try {
    const { source } = await openParent({ child: adopted, allowed, visited: new Set(), told: false });
    await source[Symbol.asyncDispose]();
    if (source.path !== parent.source.path) throw unfit(image, child, `it would take ${source.path} for its parent`);
  } catch (error) {
    if (!isError(error) || error.code === 'VHD_HAS_CHILDREN') throw error;
    throw unfit(image, child, `it would not find ${parent.source.path}: ${error.message}`);
  }
}

function unfit(heir: Layer, child: Layer, why: string): VhdvaultError {
  const { path } = heir.source;
  const what = `${path}, a child of ${child.source.path}, cannot be given another parent: ${why}`;
  return new VhdvaultError('VHD_HAS_CHILDREN', what, {
    hint: `convert ${path} to an image of its own, and remove it, before ${child.source.path} is merged`,
    details: { path: child.source.path, child: path },
  });
}
