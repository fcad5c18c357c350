import type { CapturedDisk } from '../backup/capture-options.ts';
import { mapShape } from '../disk/block-map.ts';
import type { Manifest, ManifestDisk } from '../point/manifest.ts';
import type { BackupRun } from './backup-run.ts';
import type { BackupPreview, BackupResult, DiskResult } from './backup-types.ts';
import type { SourceDisk } from './source-disks.ts';
import type { ByteCounts } from './types.ts';

/** What was captured of a source -> its place in the manifest. */
export function manifestDisk(
  { name, address, disk, image, blockSize }: SourceDisk & { blockSize: number },
  captured: CapturedDisk,
): ManifestDisk {
  const { root, pages, counts } = captured;
  return {
    name,
    source: { address: address.path, format: disk.format, ...image, parentRoots: [...(address.parentRoots ?? [])] },
    ...{ size: disk.size, blockSize, root, pages },
    blocks: { read: counts.readBlocks, changed: counts.changedBlocks, stored: counts.storedBlocks },
    bytes: { read: counts.readBytes, changed: counts.changedBytes, stored: counts.storedBytes },
  };
}

export function backupResult(
  run: BackupRun,
  made: {
    manifest: Manifest;
    point: string;
    captured: readonly CapturedDisk[];
    finished: number;
    seconds: number;
    /** When the run began that this one went on with. */
    resumed: number | null;
  },
): BackupResult {
  const { manifest, point, captured, finished, seconds, resumed } = made;
  const { item, type, reason, consistency } = manifest;
  const disks = manifest.disks.map((disk, n) => diskResult(disk, captured[n] as CapturedDisk));
  return {
    ...{ dryRun: false, item, point, type, reason, consistency, disks, hooks: [] },
    healed: captured.reduce((sum, { counts }) => sum + counts.healedBlocks, 0),
    ...common(run),
    finished: new Date(finished).toISOString(),
    seconds,
    bytes: sumBytes(disks.map(({ bytes }) => bytes)),
    resumed: resumed === null ? null : { started: new Date(resumed).toISOString(), ...reusedOf(captured) },
  };
}

/** What a backup would find. */
export function previewResult(
  run: BackupRun,
  found: { captured: readonly CapturedDisk[]; reason: string; seconds: number },
): BackupPreview {
  const { captured, reason, seconds } = found;
  const { blockSize } = run.session.vault.config;
  const disks = run.sources.map((source, n) => {
    const disk = captured[n] as CapturedDisk;
    return diskResult(manifestDisk({ ...source, blockSize }, disk), disk);
  });
  return {
    ...{ dryRun: true, item: run.item, type: run.plan.type, reason, disks, seconds },
    ...common(run),
    bytes: sumBytes(disks.map(({ bytes }) => bytes)),
  };
}

function common({
  plan: { base },
  started,
  warnings,
  notices,
}: BackupRun): Pick<BackupResult, 'base' | 'started' | 'warnings' | 'notices'> {
  return {
    base: base ? { point: base.id, time: new Date(base.time).toISOString() } : null,
    started: new Date(started).toISOString(),
    ...{ warnings, notices },
  };
}

function reusedOf(captured: readonly CapturedDisk[]): { blocks: number; bytes: number } {
  return {
    blocks: captured.reduce((sum, { counts }) => sum + counts.reusedBlocks, 0),
    bytes: captured.reduce((sum, { counts }) => sum + counts.reusedBytes, 0),
  };
}

export function sumBytes(parts: readonly ByteCounts[]): ByteCounts {
  const sum = { read: 0, changed: 0, stored: 0 };
  for (const { read, changed, stored } of parts) {
    sum.read += read;
    sum.changed += changed;
    sum.stored += stored;
  }
  return sum;
}

function diskResult(
  { name, source, size, blockSize, blocks, bytes, root }: ManifestDisk,
  { counts, strip }: CapturedDisk,
): DiskResult {
  const total = mapShape(size, blockSize).blocks;
  return {
    name,
    format: source.format,
    virtualSize: size,
    blockSize,
    blocks: { total, ...blocks },
    bytes,
    skipped: {
      blocks: counts.keptBlocks - counts.auditedBlocks,
      bytes: counts.keptBytes - counts.auditedBytes,
      audited: counts.auditedBlocks,
    },
    root,
    strip,
  };
}
