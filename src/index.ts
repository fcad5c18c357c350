/** The library: `import ... from 'vhdvault'`. */
export type { DiskAddress, FileAddress } from './disk/address.ts';
export {
  type BlockPlan,
  bitmapBytes,
  type Cancellable,
  type ConvertOptions,
  type ConvertProgress,
  type ConvertResult,
  checksum,
  convertImage,
  createImage,
  DEFAULT_BLOCK_SIZE,
  type Disk,
  type DynamicHeader,
  type ErrorCode,
  type ErrorDetails,
  type ErrorFacts,
  type Extent,
  type ExtentKind,
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocator,
  encodeLocatorPath,
  type Finding,
  FOOTER_BYTES,
  type Footer,
  formatUniqueId,
  fromTimestamp,
  fullBitmap,
  type Generation,
  type Geometry,
  geometryBytes,
  geometryOf,
  HEADER_BYTES,
  hasSector,
  type ImageDisk,
  type ImageFacts,
  type ImageFormat,
  type ImagePlan,
  type ImageWriter,
  imageFacts,
  isError,
  type LocatorPath,
  type OpenDiskOptions,
  openDisk,
  openImageWriter,
  type ParentLocator,
  type PlanOptions,
  parseBat,
  parseDynamicHeader,
  parseFooter,
  parseLocator,
  parseLocatorPath,
  parseUniqueId,
  planImage,
  type Random,
  setSector,
  systemRandom,
  type TargetFormat,
  toTimestamp,
  UNALLOCATED,
  type VhdType,
  VhdvaultError,
  type Where,
} from './image/vhd-parser.ts';
export { backup } from './jobs/backup-job.ts';
export type { BackupOptions, BackupPreview, BackupResult, DiskResult, HookResult } from './jobs/backup-types.ts';
export { diff } from './jobs/diff-job.ts';
export type { ComparedPoint, DiffCell, DiffDisk, DiffOptions, DiffPicture, DiffResult } from './jobs/diff-types.ts';
export { openPoint } from './jobs/open-point.ts';
export type {
  ItemsResult,
  PointSummary,
  PointsOptions,
  PointsResult,
  Share,
  ShowResult,
  StatsResult,
} from './jobs/point-types.ts';
export { items, points, show } from './jobs/points.ts';
export { previewBackup } from './jobs/preview-job.ts';
export { restore } from './jobs/restore-job.ts';
export type { RestoreFormat, RestoreOptions, RestoreResult } from './jobs/restore-types.ts';
export {
  type CreateVaultOptions,
  createVault,
  openVault,
  type SessionOptions,
  type VaultSession,
} from './jobs/session.ts';
export { stats } from './jobs/stats.ts';
export type {
  ByteCounts,
  Compression,
  Consistency,
  DiskArgument,
  DiskProgress,
  InitResult,
  NamedDisk,
  PointType,
  Progress,
  Watchable,
} from './jobs/types.ts';
export { verify } from './jobs/verify-job.ts';
export type { VerifyOptions, VerifyResult } from './jobs/verify-types.ts';
