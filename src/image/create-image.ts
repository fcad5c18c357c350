import { realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { ioError, VhdvaultError } from '../base/errors.ts';
import type { Random } from '../base/random.ts';
import { MIB } from '../base/units.ts';
import { DEFAULT_BLOCK_SIZE, type ImagePlan, type PlanParent, planImage } from './image-plan.ts';
import { createPlannedImage } from './image-writer.ts';
import { type ImageDisk, openDisk } from './open-disk.ts';
import { claimTarget } from './target.ts';
import { isBlockSize } from './vhd/dynamic-header.ts';
import { type LocatorCode, parentNames } from './vhd/name-parent.ts';
import { isVhdName } from './vhd/recognise.ts';
import { isNullId, parseUniqueId } from './vhd/unique-id.ts';
import { openWritable, type WritableDisk } from './writable-disk.ts';

export type { LocatorCode } from './vhd/name-parent.ts';

/** What a new image shall be. */
export interface CreateImageOptions extends Cancellable {
  /** What it becomes. */
  type: 'fixed' | 'dynamic' | 'differencing';
  /** Of the disk, a positive multiple of 512 bytes; default, of differencing images only: the parent's. */
  size?: number;
  /** Bytes, a power of two from 4 KiB to 16 MiB; default 2 MiB. Others read 2 MiB and 512 KiB best. */
  blockSize?: number;
  /** The parent's path; of differencing images only. */
  parent?: string;
  /** What the parent is; overrides what its content says. A raw parent is named by its path alone, since it has no unique id. */
  parentFormat?: 'vhd' | 'raw';
  /** Where the parent's own parents may lie; see `openDisk`. */
  parentRoots?: readonly string[];
  /** How a differencing image names its parent; default in all three ways. */
  locators?: readonly LocatorCode[];
  /** What the absolute Windows path (W2ku) says, as `D:\vm\base.vhd`; default the parent's path here. */
  windowsParentPath?: string;
  /** 16 bytes; default random. */
  uniqueId?: Uint8Array;
  /** Replace an existing file. */
  force?: boolean;
  /** Of the unique id; default the system's. */
  random?: Random;
  /** The image's time stamp, milliseconds since 1970; default the time of now. */
  now?: number;
}

/**
 * Creates an image whose disk reads as zeros, or as its parent, and opens it for writing. The file appears whole or not at all.
 * @throws TARGET_EXISTS, TARGET_UNUSABLE, IMAGE_LOCKED, DISK_SIZE, VHD_TOO_LARGE, USAGE for options that cannot be, NO_SPACE,
 * NO_PERMISSION, CANCELLED; what `openDisk` throws about the parent
 */
export async function createImage(path: string, options: CreateImageOptions): Promise<WritableDisk> {
  throwIfAborted(options.signal);
  checkOptions(options);
  const { signal, force = false } = options;
  const cancellable = signal ? { signal } : {};
  await using parent = options.parent === undefined ? null : await openParent(options.parent, options);
  await using target = await claimTarget(path, { force, sources: parent ? await parent.generation() : [] });
  const plan = await planFor(path, options, parent);
  const parentRoots = [...(options.parentRoots ?? [])];
  if (options.parent !== undefined) parentRoots.push(dirname(await realpath(options.parent)));
  const opening = { parentRoots, format: 'vhd', ...cancellable } as const;
  await createPlannedImage(target.part, plan, cancellable);
  // Who opens it later must find the parent by its name.
  await (await openDisk(target.part, opening))[Symbol.asyncDispose]();
  await target.publish();
  return await openWritable(path, opening);
}

const MOST_BLOCK: number = 16 * MIB;

function checkOptions({ type, size, blockSize = DEFAULT_BLOCK_SIZE, parent }: CreateImageOptions): void {
  const usage = (message: string, hint: string): VhdvaultError => new VhdvaultError('USAGE', message, { hint });
  if (!['fixed', 'dynamic', 'differencing'].includes(type)) {
    throw usage(`there is no type ${type} of image`, 'use fixed, dynamic or differencing');
  }
  const layered = type === 'differencing';
  if (layered && parent === undefined)
    throw usage('a differencing image needs a parent', 'name one with --parent FILE');
  if (!layered && parent !== undefined) {
    throw usage(`a ${type} image has no parent`, 'leave --parent out, or create a differencing image');
  }
  if (!layered && size === undefined) throw usage(`a ${type} image needs a size`, 'name one, for example --size 40GiB');
  if (!isBlockSize(blockSize) || blockSize > MOST_BLOCK) {
    const hint = 'use a power of two from 4 KiB to 16 MiB, best 2 MiB';
    throw usage(`blocks of ${blockSize} bytes cannot be made`, hint);
  }
}

async function openParent(parent: string, options: CreateImageOptions): Promise<ImageDisk> {
  const { parentFormat, parentRoots, signal } = options;
  const disk = await openDisk(parent, {
    ...(parentFormat && { format: parentFormat }),
    ...(parentRoots && { parentRoots }),
    ...(signal && { signal }),
  });
  try {
    const stats = await stat(parent).catch((error: unknown) => {
      throw ioError(error, 'opening', parent);
    });
    if (stats.isFile()) return disk;
    const hint = 'name an image file';
    throw new VhdvaultError('TARGET_UNUSABLE', `${parent} is a block device, which cannot be a parent`, { hint });
  } catch (error) {
    await disk[Symbol.asyncDispose]();
    throw error;
  }
}

async function planFor(path: string, options: CreateImageOptions, parent: ImageDisk | null): Promise<ImagePlan> {
  const { type, blockSize, uniqueId, now, random } = options;
  const common = {
    size: options.size ?? parent!.size,
    isAllocated: () => false,
    ...(blockSize !== undefined && { blockSize }),
    ...(uniqueId && { uniqueId }),
    ...(now !== undefined && { now }),
    ...(random && { random }),
  };
  if (type !== 'differencing') return planImage({ format: `vhd-${type}`, ...common });
  const named = await parentNames({
    child: path,
    parent: options.parent!,
    codes: options.locators ?? ['W2ru', 'W2ku', 'MacX'],
    windowsPath: options.windowsParentPath,
  });
  const id = parent!.facts.uniqueId;
  if (id !== null && isNullId(parseUniqueId(id))) {
    const hint = 'convert the parent to a new image, which gets one';
    throw new VhdvaultError('USAGE', `${options.parent} has no unique id, so no child can name it`, { hint });
  }
  if (id === null && !isVhdName(path)) {
    const hint = 'give the new image a name that ends in .vhd';
    throw new VhdvaultError('USAGE', `${path}: a child of a raw disk is opened only when it is named .vhd`, { hint });
  }
  const planned: PlanParent = { ...named, uniqueId: id === null ? new Uint8Array(16) : parseUniqueId(id) };
  return planImage({ format: 'vhd-differencing', ...common, parent: planned });
}
