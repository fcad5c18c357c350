/**
 * `vhdvault/vhd-parser`: read, describe, convert and write VHD images; it needs nothing of the rest of vhdvault.
 *
 * ```ts
 * await using disk = await openDisk('child.avhd', { parentRoots: ['/images/base'] });
 * const sector = new Uint8Array(512);
 * await disk.read(0, sector);
 * ```
 */
export type { Cancellable } from '../base/abort.ts';
export { type ErrorCode, type ErrorDetails, type ErrorFacts, isError, VhdvaultError } from '../base/errors.ts';
export type { Finding } from '../base/finding.ts';
export { type Random, systemRandom } from '../base/random.ts';
export type { Disk, Extent, ExtentKind, ExtentsOptions, Generation } from '../disk/disk.ts';
export { type CheckOptions, checkImage } from './check-image.ts';
export { type ConvertOptions, type ConvertProgress, type ConvertResult, convertImage } from './convert-image.ts';
export { type CreateImageOptions, createImage, type LocatorCode } from './create-image.ts';
export { type Child, findChildren } from './find-children.ts';
export { type ChainChild, imageChain } from './image-chain.ts';
export { type ImageFacts, imageFacts } from './image-facts.ts';
export {
  type BlockPlan,
  DEFAULT_BLOCK_SIZE,
  type ImagePlan,
  type PlanOptions,
  planImage,
  type TargetFormat,
} from './image-plan.ts';
export { createPlannedImage, type ImageWriter, openImageWriter } from './image-writer.ts';
export { type MergeOptions, type MergeProgress, type MergeResult, mergeImage } from './merge-image.ts';
export { type ImageDisk, type OpenDiskOptions, openDisk } from './open-disk.ts';
export { type RepairAction, type RepairOptions, type RepairResult, repairImage } from './repair-image.ts';
export { type ResizeOptions, type ResizeResult, resizeImage } from './resize-image.ts';
export { encodeBat, parseBat, UNALLOCATED } from './vhd/bat.ts';
export { checksum } from './vhd/checksum.ts';
export { type DynamicHeader, encodeDynamicHeader, HEADER_BYTES, parseDynamicHeader } from './vhd/dynamic-header.ts';
export {
  encodeFooter,
  FOOTER_BYTES,
  type Footer,
  fromTimestamp,
  parseFooter,
  toTimestamp,
  type VhdType,
} from './vhd/footer.ts';
export { type Geometry, geometryBytes, geometryOf } from './vhd/geometry.ts';
export type { ImageFormat, LocatorPath } from './vhd/layer.ts';
export {
  encodeLocator,
  encodeLocatorPath,
  locatorRoom,
  type ParentLocator,
  parseLocator,
  parseLocatorPath,
} from './vhd/parent-locator.ts';
export { bitmapBytes, fullBitmap, hasSector, setSector } from './vhd/sector-bitmap.ts';
export {
  BATMAP_HEADER_BYTES,
  type BatmapHeader,
  batmapChecksum,
  encodeBatmapHeader,
  parseBatmapHeader,
} from './vhd/tap-batmap.ts';
export { formatUniqueId, parseUniqueId } from './vhd/unique-id.ts';
export type { Where } from './vhd/where.ts';
export { openWritable, type WritableDisk } from './writable-disk.ts';
