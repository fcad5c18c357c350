/** The library: `import ... from 'vhdvault'`. */
export type { DiskAddress, FileAddress } from './disk/address.ts';
export {
  BATMAP_HEADER_BYTES,
  type BatmapHeader,
  type BlockPlan,
  batmapChecksum,
  bitmapBytes,
  type Cancellable,
  type ChainChild,
  type CheckOptions,
  type Child,
  type ConvertOptions,
  type ConvertProgress,
  type ConvertResult,
  type CreateImageOptions,
  checkImage,
  checksum,
  convertImage,
  createImage,
  createPlannedImage,
  DEFAULT_BLOCK_SIZE,
  type Disk,
  type DynamicHeader,
  type ErrorCode,
  type ErrorDetails,
  type ErrorFacts,
  type Extent,
  type ExtentKind,
  type ExtentsOptions,
  encodeBat,
  encodeBatmapHeader,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocator,
  encodeLocatorPath,
  type Finding,
  FOOTER_BYTES,
  type Footer,
  findChildren,
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
  imageChain,
  imageFacts,
  isError,
  type LocatorCode,
  type LocatorPath,
  locatorRoom,
  type MergeOptions,
  type MergeProgress,
  type MergeResult,
  mergeImage,
  type OpenDiskOptions,
  openDisk,
  openImageWriter,
  openWritable,
  type ParentLocator,
  type PlanOptions,
  parseBat,
  parseBatmapHeader,
  parseDynamicHeader,
  parseFooter,
  parseLocator,
  parseLocatorPath,
  parseUniqueId,
  planImage,
  type Random,
  type RepairAction,
  type RepairOptions,
  type RepairResult,
  type ResizeOptions,
  type ResizeResult,
  repairImage,
  resizeImage,
  setSector,
  systemRandom,
  type TargetFormat,
  toTimestamp,
  UNALLOCATED,
  type VhdType,
  VhdvaultError,
  type Where,
  type WritableDisk,
} from './image/vhd-parser.ts';
export { backup } from './jobs/backup-job.ts';
export type { BackupOptions, BackupPreview, BackupResult, DiskResult, HookResult } from './jobs/backup-types.ts';
export { diff } from './jobs/diff-job.ts';
export type { ComparedPoint, DiffCell, DiffDisk, DiffOptions, DiffPicture, DiffResult } from './jobs/diff-types.ts';
export { forget } from './jobs/forget-job.ts';
export type {
  ForgetOptions,
  ForgetResult,
  ForgottenPoint,
  KeptPoint,
  RetentionRules,
  UnforgetResult,
  WhatToForget,
} from './jobs/forget-types.ts';
export { gc } from './jobs/gc-job.ts';
export type { GcOptions, GcResult } from './jobs/gc-types.ts';
export { addKey, changeKey, listKeys, removeKey } from './jobs/key-job.ts';
export type {
  AddKeyOptions,
  ChangeKeyOptions,
  KeyChangeResult,
  KeySlot,
  KeysResult,
  RemoveKeyOptions,
} from './jobs/key-types.ts';
export { openPoint } from './jobs/open-point.ts';
export { pin, unpin } from './jobs/pin-job.ts';
export type { PinOptions, PinResult } from './jobs/pin-types.ts';
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
export { protect } from './jobs/protect-job.ts';
export type { ProtectOptions, ProtectResult } from './jobs/protect-types.ts';
export { restore } from './jobs/restore-job.ts';
export type { RestoreFormat, RestoreOptions, RestoreResult } from './jobs/restore-types.ts';
export { scrub } from './jobs/scrub-job.ts';
export type { ScrubOptions, ScrubResult } from './jobs/scrub-types.ts';
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
  Throttled,
  Watchable,
} from './jobs/types.ts';
export { unforget } from './jobs/unforget-job.ts';
export { repairVault } from './jobs/vault-repair-job.ts';
export type { RepairVaultOptions, RepairVaultResult, VaultRepairAction } from './jobs/vault-repair-types.ts';
export { verify } from './jobs/verify-job.ts';
export type { DiskRange, PointFinding, Sampled, VerifyOptions, VerifyResult } from './jobs/verify-types.ts';
