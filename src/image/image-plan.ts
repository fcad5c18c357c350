import { systemClock } from '../base/clock.ts';
import { VhdvaultError } from '../base/errors.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { MIB, SECTOR } from '../base/units.ts';
import { UNALLOCATED } from './vhd/bat.ts';
import { layoutBlocks } from './vhd/block-layout.ts';
import { encodeDynamicHeader, isBlockSize } from './vhd/dynamic-header.ts';
import { encodeFooter, type Footer, toTimestamp } from './vhd/footer.ts';
import { geometryOf } from './vhd/geometry.ts';
import { randomUniqueId } from './vhd/unique-id.ts';

/** What an image can be written as. */
export type TargetFormat = 'vhd-fixed' | 'vhd-dynamic' | 'raw' | 'block-device';

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
  /** Null but for a dynamic image. */
  readonly blocks: BlockPlan | null;
}

/** The blocks of a dynamic image. */
export interface BlockPlan {
  /** Bytes. */
  readonly blockSize: number;
  /** Of the dynamic header, bytes from the start of the file. */
  readonly headerOffset: number;
  /** 1024 bytes. */
  readonly header: Uint8Array;
  /** Of the block table, bytes from the start of the file. */
  readonly tableOffset: number;
  /** Sector of each block's bitmap, 0xFFFFFFFF where there is none; in shared memory. */
  readonly bat: Uint32Array;
  /** How many blocks are stored. */
  readonly stored: number;
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
  /** Whether a block of a dynamic image is stored; default all. */
  isAllocated?: (block: number) => boolean;
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
      return planDynamic(options, uniqueId);
    default:
      format satisfies never;
      throw new VhdvaultError('USAGE', `unknown format ${String(format)}`);
  }
}

function planDynamic(options: PlanOptions, uniqueId: Uint8Array): ImagePlan {
  const { format, size, blockSize = DEFAULT_BLOCK_SIZE, isAllocated = () => true } = options;
  if (!isBlockSize(blockSize)) {
    throw new VhdvaultError('USAGE', `${blockSize} is no block size of a VHD`, {
      hint: 'use a power of two from 4 KiB to 256 MiB, best 2 MiB',
    });
  }
  // Checks the limit before the table is allocated.
  const { entries } = layoutBlocks(size, blockSize, 0);
  const bat = new Uint32Array(new SharedArrayBuffer(entries * 4)).fill(UNALLOCATED);
  let stored = 0;
  for (let block = 0; block < entries; block++) if (isAllocated(block)) bat[block] = stored++;
  const layout = layoutBlocks(size, blockSize, stored);
  for (let block = 0; block < entries; block++) {
    if (bat[block] !== UNALLOCATED) bat[block] = layout.sectorOf(bat[block]!);
  }
  const { headerOffset, tableOffset } = layout;
  const header = encodeDynamicHeader({
    tableOffset,
    maxTableEntries: entries,
    blockSize,
    parentUniqueId: new Uint8Array(16),
    parentTimestamp: 0,
    parentName: '',
    locators: [],
  });
  const footer = encodeFooter(footerOf(options, uniqueId, headerOffset));
  const blocks: BlockPlan = { blockSize, headerOffset, header, tableOffset, bat, stored };
  return { format, size, fileSize: layout.fileSize(stored), uniqueId, footer, blocks };
}

/**
 * The creator is `win ` 10.0, though Windows it was not: the field is what others choose the meaning of the size by. qemu
 * takes the geometry for the size of creators that it does not know, and drops the end of the disk (a 4 MiB disk reads as
 * 4177920 bytes); for `win ` everybody takes the current size. The alternative, an own creator with the greatest geometry,
 * reads well too, but shows old guests a geometry that their boot code was not installed with. Images follow the
 * conventions of Windows in all else: sizes in bytes, whole bitmaps, 4 KiB-aligned data.
 */
function footerOf(options: PlanOptions, uniqueId: Uint8Array, dataOffset: number | null): Footer {
  return {
    features: 2,
    dataOffset,
    timestamp: toTimestamp(options.now ?? systemClock.now()),
    creatorApplication: 'win ',
    creatorVersion: 0x000a0000,
    creatorHostOS: 'Wi2k',
    originalSize: options.size,
    currentSize: options.size,
    geometry: geometryOf(options.size),
    type: dataOffset === null ? 'fixed' : 'dynamic',
    uniqueId,
    savedState: false,
    hidden: false,
  };
}
