import { systemClock } from '../base/clock.ts';
import { VhdvaultError } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { MIB, SECTOR } from '../base/units.ts';
import { batBytes, UNALLOCATED } from './vhd/bat.ts';
import { CREATOR } from './vhd/block-file.ts';
import { layoutBlocks } from './vhd/block-layout.ts';
import { encodeDynamicHeader, isBlockSize } from './vhd/dynamic-header.ts';
import { encodeFooter, type Footer, toTimestamp, type VhdType } from './vhd/footer.ts';
import { geometryOf } from './vhd/geometry.ts';
import { type LocatorCode, layoutNames } from './vhd/name-parent.ts';
import { randomUniqueId } from './vhd/unique-id.ts';

/** What an image can be written as. */
export type TargetFormat = 'vhd-fixed' | 'vhd-dynamic' | 'vhd-differencing' | 'raw' | 'block-device';

/**
 * Where every byte of a new image will be. Plain data that can be cloned to other threads, which then write the image
 * together: the positions are final, so nobody waits for anybody. Offsets and sizes in bytes.
 */
export interface ImagePlan {
  /** What it becomes. */
  readonly format: TargetFormat;
  /** Of the disk. */
  readonly size: number;
  /** Of the finished file; for a block device, what it must at least hold. */
  readonly fileSize: number;
  /** 16 bytes; null when it is no VHD. */
  readonly uniqueId: Uint8Array | null;
  /** 512 bytes; null when it is no VHD. */
  readonly footer: Uint8Array | null;
  /** Null but for a dynamic or differencing image. */
  readonly blocks: BlockPlan | null;
}

/** The blocks of a dynamic or differencing image. */
export interface BlockPlan {
  /** Bytes. */
  readonly blockSize: number;
  /** Of the dynamic header, bytes from the start of the file. */
  readonly headerOffset: number;
  /** 1024 bytes. */
  readonly header: Uint8Array;
  /** Of the block table, bytes from the start of the file. */
  readonly tableOffset: number;
  /** The parent's names, which follow the table; empty where there is no parent. */
  readonly names: Uint8Array;
  /** Sector of each block's bitmap, 0xFFFFFFFF where there is none; in shared memory. */
  readonly bat: Uint32Array;
  /** How many blocks are stored. */
  readonly stored: number;
}

/** The parent of a differencing image. */
export interface PlanParent {
  /** 16 bytes; all zero when it is a raw file. */
  uniqueId: Uint8Array;
  /** For the header: a file name. */
  name: string;
  /** For the locators, in their order. */
  paths: readonly { code: LocatorCode; path: string }[];
}

/** What an image shall be. */
export interface PlanOptions {
  /** What it becomes. */
  format: TargetFormat;
  /** Of the disk, a positive multiple of 512. */
  size: number;
  /** Default 2 MiB; a power of two from 4 KiB to 256 MiB. Others read 2 MiB and 512 KiB best. */
  blockSize?: number;
  /** 16 bytes; default random. */
  uniqueId?: Uint8Array;
  /** The image's time stamp, milliseconds since 1970; default the time of now. */
  now?: number;
  /** Of the unique id; default the system's. */
  random?: Random;
  /** Whether a block of a dynamic image is stored; default all. A differencing one is planned without. */
  isAllocated?: (block: number) => boolean;
  /** Of a differencing image. */
  parent?: PlanParent;
}

/** Bytes of a block of a dynamic image, unless told otherwise: 2 MiB, which every program reads. */
export const DEFAULT_BLOCK_SIZE: number = 2 * MIB;

/**
 * Plans a new image. Blocks are stored in the order of the disk. Format: Microsoft's Virtual Hard Disk Image Format
 * Specification, 1.0.
 * @throws DISK_SIZE; VHD_TOO_LARGE for dynamic images over 2040 GiB; USAGE for a block size that cannot be
 */
export function planImage(options: PlanOptions): ImagePlan {
  const { format, size } = options;
  if (!(Number.isSafeInteger(size) && size > 0 && size % SECTOR === 0)) {
    throw new VhdvaultError('DISK_SIZE', `a disk of ${size} bytes is not a positive number of 512-byte sectors`, {
      hint: 'name a size that is a multiple of 512, for example 40GiB',
      details: { found: size },
    });
  }
  const uniqueId = options.uniqueId ?? randomUniqueId(options.random ?? systemRandom);
  switch (format) {
    case 'raw':
    case 'block-device':
      return { format, size, fileSize: size, uniqueId: null, footer: null, blocks: null };
    case 'vhd-fixed': {
      const footer = encodeFooter(footerOf(options, uniqueId, null));
      return { format, size, fileSize: size + SECTOR, uniqueId, footer, blocks: null };
    }
    case 'vhd-dynamic':
    case 'vhd-differencing':
      return planBlocks(options, uniqueId);
    default:
      format satisfies never;
      throw new VhdvaultError('USAGE', `unknown format ${String(format)}`);
  }
}

function planBlocks(options: PlanOptions, uniqueId: Uint8Array): ImagePlan {
  const { format, size, blockSize = DEFAULT_BLOCK_SIZE, isAllocated = () => true, parent } = options;
  if (!isBlockSize(blockSize)) {
    throw new VhdvaultError('USAGE', `${blockSize} is no block size of a VHD`, {
      hint: 'use a power of two from 4 KiB to 256 MiB, best 2 MiB',
    });
  }
  if ((format === 'vhd-differencing') !== (parent !== undefined)) {
    throw new VhdvaultError('USAGE', `${format}: a differencing image, and no other, has a parent`);
  }
  // Checks the limit before the table is allocated.
  const { entries, headerOffset, tableOffset } = layoutBlocks(size, blockSize, 0);
  const { fields, bytes: names } = layoutNames(parent ?? NO_PARENT, tableOffset + batBytes(entries));
  const bat = new Uint32Array(new SharedArrayBuffer(entries * 4)).fill(UNALLOCATED);
  let stored = 0;
  for (let block = 0; block < entries; block++) if (isAllocated(block)) bat[block] = stored++;
  const layout = layoutBlocks(size, blockSize, stored, names.byteLength);
  for (let block = 0; block < entries; block++) {
    if (bat[block] !== UNALLOCATED) bat[block] = layout.sectorOf(bat[block]!);
  }
  const { uniqueId: parentUniqueId } = parent ?? NO_PARENT;
  const shape = { tableOffset, maxTableEntries: entries, blockSize };
  const header = encodeDynamicHeader({ ...shape, ...fields, parentUniqueId, parentTimestamp: 0 });
  const footer = encodeFooter(footerOf(options, uniqueId, headerOffset));
  const blocks: BlockPlan = { blockSize, headerOffset, header, tableOffset, names, bat, stored };
  return { format, size, fileSize: layout.fileSize(stored), uniqueId, footer, blocks };
}

const NO_PARENT: PlanParent = { uniqueId: new Uint8Array(16), name: '', paths: [] };

function footerOf(options: PlanOptions, uniqueId: Uint8Array, dataOffset: number | null): Footer {
  return {
    features: 2,
    dataOffset,
    timestamp: toTimestamp(options.now ?? systemClock.now()),
    ...CREATOR,
    originalSize: options.size,
    currentSize: options.size,
    geometry: geometryOf(options.size),
    type: options.format.slice('vhd-'.length) as VhdType,
    uniqueId,
    savedState: false,
    hidden: false,
  };
}
