import type { CapturedDisk } from '../backup/capture-options.ts';
import { mapShape } from '../disk/block-map.ts';
import type { MergedDisk } from '../merge/merge-back.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import type { Manifest, ManifestDisk } from '../point/manifest.ts';
import type { SourceDisk } from './source-disks.ts';
import type { BackupResult, ByteCounts, DiskResult } from './types.ts';

/** What was captured of a source -> its place in the manifest. */
export function manifestDisk(
  { name, address, disk, image, blockSize }: SourceDisk & { blockSize: number },
  captured: CapturedDisk,
): ManifestDisk {
  const { root, pages, counts } = captured;
  return {
    name,
    source: { address: address.path, format: disk.format, ...image },
    ...{ size: disk.size, blockSize, root, pages },
    blocks: { read: counts.readBlocks, changed: counts.changedBlocks, stored: counts.storedBlocks },
    bytes: { read: counts.readBytes, changed: counts.changedBytes, stored: counts.storedBytes },
  };
}

/** Where the new checksum tables are, and where they belong. */
export function mergedDisks(
  { disks }: Manifest,
  tables: { from: (disk: string) => string; to: (disk: string) => string },
): MergedDisk[] {
  return disks.map(({ name }) => ({ from: tables.from(name), to: tables.to(name) }));
}

export function backupResult(run: {
  manifest: Manifest;
  point: string;
  base: CatalogPoint | undefined;
  captured: readonly CapturedDisk[];
  finished: number;
  seconds: number;
  started: number;
  warnings: string[];
  notices: string[];
}): BackupResult {
  const { manifest, point, base, captured, started, finished, seconds, warnings, notices } = run;
  const { item, type, reason, consistency } = manifest;
  const disks = manifest.disks.map((disk, n) => diskResult(disk, (captured[n] as CapturedDisk).strip));
  return {
    ...{ item, point, type, reason, consistency, disks, warnings, notices, healed: 0 },
    base: base ? { point: base.id, time: new Date(base.time).toISOString() } : null,
    started: new Date(started).toISOString(),
    finished: new Date(finished).toISOString(),
    seconds,
    bytes: sumBytes(disks.map(({ bytes }) => bytes)),
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

function diskResult({ name, source, size, blockSize, blocks, bytes, root }: ManifestDisk, strip: number[]): DiskResult {
  const total = mapShape(size, blockSize).blocks;
  return {
    name,
    format: source.format,
    virtualSize: size,
    blockSize,
    blocks: { total, ...blocks },
    bytes,
    root,
    strip,
  };
}
