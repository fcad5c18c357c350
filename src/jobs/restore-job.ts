import { mkdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { ioError, isUnreadable, VhdvaultError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { type IndexAddress, refreshIndexCache } from '../cache/index-cache.ts';
import type { TargetFormat } from '../image/image-plan.ts';
import { findPoint } from '../point/catalog.ts';
import type { Manifest, ManifestDisk } from '../point/manifest.ts';
import type { CopyCounts } from '../restore/copy-memory.ts';
import { planRestore, type RestoredDisk, type RestorePlan, restoreDisk } from '../restore/restore-disk.ts';
import { isOutdated, knownState } from '../verify/known-state.ts';
import { lostWarning } from './lost-warning.ts';
import { damageWarnings } from './points.ts';
import { rateLimitOf } from './rate-limit-of.ts';
import { reading } from './reading.ts';
import type { RestoreFormat, RestoreOptions, RestoreResult } from './restore-types.ts';
import type { VaultSession } from './session.ts';
import type { Progress } from './types.ts';

/** One disk to restore: where to and as what. */
interface Target {
  disk: ManifestDisk;
  path: string;
  format: TargetFormat;
}

type Planned = Target & { plan: RestorePlan };

/**
 * Restores a point to images. An image has its name only when it is complete and durable. With `bestEffort`, what a
 * damaged vault cannot give is zeros in the image, listed in `lost` and warned of; else it is thrown.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, TARGET_EXISTS, TARGET_UNUSABLE, IMAGE_LOCKED, NO_SPACE, VAULT_DAMAGED, CANCELLED
 */
export async function restore(opened: VaultSession, ref: string, options: RestoreOptions): Promise<RestoreResult> {
  throwIfAborted(options.signal);
  const limit = rateLimitOf(options);
  const begun = opened.vault.clock.monotonic();
  await opened.vault.catchUp();
  const session = await reading(opened);
  const { vault } = session;
  const point = findPoint(vault, ref);
  const chosen = await chooseTargets(point.manifest, options);
  const { preallocate = false, bestEffort = false, force = false, dryRun = false, signal } = options;
  const common = { vault, index: await refreshIndex(session, bestEffort), preallocate, bestEffort, signal };
  const targets: Planned[] = [];
  for (const target of chosen) {
    targets.push({ ...target, plan: await planRestore({ ...common, disk: target.disk, target: imageOf(target) }) });
  }
  await checkRoom(targets, preallocate);
  const result: RestoreResult = {
    item: point.manifest.item,
    point: point.id,
    disks: [],
    seconds: 0,
    dryRun,
    warnings: damageWarnings(session),
  };
  const progress = restoreProgress(targets, options.onProgress);
  for (const [n, target] of targets.entries()) {
    const { disk, plan } = target;
    const run = { ...common, pool: session.pool, limit, disk, target: imageOf(target), force };
    const restored = dryRun
      ? planned(target)
      : await whileBlocksMove(session, run, (index) =>
          restoreDisk({ ...run, index, onCounts: (found) => progress(n, found) }, plan),
        );
    result.disks.push(diskResult(target, restored));
    result.warnings.push(...lostWarning({ ...target, dryRun }, restored.lost));
  }
  result.seconds = (vault.clock.monotonic() - begun) / 1000;
  return result;
}

const MOST_TRIES = 3;

/**
 * What a gc stored anew since the index was made lies elsewhere now, and where it lay is deleted after a while: what seems to be
 * damaged then is looked for again before it is called so (D5).
 */
async function whileBlocksMove(
  session: VaultSession,
  { index: first, bestEffort }: { index: IndexAddress; bestEffort: boolean },
  work: (index: IndexAddress) => Promise<RestoredDisk>,
): Promise<RestoredDisk> {
  const { vault } = session;
  let index = first;
  for (let tries = 1; ; tries++) {
    const known = knownState(vault);
    const haveMoved = async (): Promise<boolean> => {
      if (tries === MOST_TRIES) return false;
      await vault.refresh();
      return isOutdated(known, vault.state);
    };
    try {
      const restored = await work(index);
      if (restored.lost.bytes === 0 || !(await haveMoved())) return restored;
    } catch (error) {
      if (!isUnreadable(error) || !(await haveMoved())) throw error;
    }
    index = await refreshIndex(session, bestEffort);
  }
}

/** Where a segment of the index cannot be read, best effort goes on with the others. */
async function refreshIndex({ cache, vault, notice }: VaultSession, bestEffort: boolean): Promise<IndexAddress> {
  try {
    const found = await refreshIndexCache(cache, vault);
    if (found.notice) notice(found.notice);
    return found.address;
  } catch (error) {
    if (!bestEffort || !isUnreadable(error)) throw error;
    notice(`no local index (${error.message}): the vault's own is used, which is slower`);
    return { cacheFile: null, segments: vault.state.segments.map(({ segment }) => segment), unusable: [] };
  }
}

function planned({ disk, plan: { data, lost } }: Planned): Omit<RestoredDisk, 'done'> {
  return { read: data, written: data, skipped: disk.size - data, lost };
}

function diskResult(
  { disk, path, format }: Target,
  { read, written, skipped, lost }: Omit<RestoredDisk, 'done'>,
): RestoreResult['disks'][number] {
  return {
    ...{ name: disk.name, path, format, virtualSize: disk.size, bytes: { read, written, skipped } },
    ...{ lost: lost.ranges, lostBytes: lost.bytes },
  };
}

/** Decides paths and formats, and refuses what would overwrite. */
async function chooseTargets(manifest: Manifest, options: RestoreOptions): Promise<Target[]> {
  const { to, disk: only, format = 'original', force = false } = options;
  const disks = only === undefined ? manifest.disks : manifest.disks.filter(({ name }) => name === only);
  if (disks.length === 0) {
    throw new VhdvaultError('USAGE', `${manifest.item} has no disk ${only} in this point`, {
      hint: `it has ${manifest.disks.map(({ name }) => name).join(', ')}`,
    });
  }
  const path = resolve(to);
  const found = await stat(path).catch(() => undefined);
  const isFile = /\.(vhd|raw)$/i.test(path) || found?.isBlockDevice();
  if (isFile && disks.length > 1 && !found?.isDirectory()) {
    throw new VhdvaultError('USAGE', `${to} is one file and the point has ${disks.length} disks`, {
      hint: `choose one with --disk (${disks.map(({ name }) => name).join(', ')}), or name a folder`,
    });
  }
  const targets: Target[] = [];
  for (const disk of disks) {
    if (isFile && !found?.isDirectory()) {
      const as = found?.isBlockDevice() ? 'block-device' : formatOf(disk, format, path);
      targets.push({ disk, path, format: as });
    } else {
      const as = formatOf(disk, format, '');
      targets.push({ disk, path: join(path, `${disk.name}.${as === 'raw' ? 'raw' : 'vhd'}`), format: as });
    }
  }
  for (const target of targets) await checkTarget(target, force, options.dryRun ?? false);
  return targets;
}

function formatOf({ source }: ManifestDisk, format: RestoreFormat, path: string): TargetFormat {
  switch (format) {
    case 'fixed':
      return 'vhd-fixed';
    case 'dynamic':
      return 'vhd-dynamic';
    case 'raw':
      return 'raw';
    case 'original':
      if (/\.raw$/i.test(path)) return 'raw';
      if (source.format === 'vhd-fixed') return 'vhd-fixed';
      if (source.format.startsWith('vhd')) return 'vhd-dynamic';
      return /\.vhd$/i.test(path) ? 'vhd-dynamic' : 'raw';
    default:
      return format satisfies never;
  }
}

async function checkTarget({ path, format }: Target, force: boolean, dryRun: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found && !force && !dryRun) {
    throw new VhdvaultError('TARGET_EXISTS', `${path} exists`, {
      hint:
        format === 'block-device'
          ? 'all that is on the device will be lost: say --force if you mean it'
          : 'name another target, or overwrite it with --force',
      details: { path },
    });
  }
  if (found?.isDirectory())
    throw new VhdvaultError('TARGET_UNUSABLE', `${path} is a folder`, { hint: 'name a file', details: { path } });
  if (found || dryRun) return;
  await mkdir(dirname(path), { recursive: true }).catch((error: unknown) => {
    throw ioError(error, 'making the folder', dirname(path));
  });
}

function imageOf({ disk, path, format }: Target): {
  path: string;
  format: TargetFormat;
  blockSize: number | null;
  uniqueId: Uint8Array | null;
} {
  const { blockSize, uniqueId } = disk.source;
  return { path, format, blockSize, uniqueId: uniqueId === null ? null : fromHex(uniqueId) };
}

/** Restores need the bytes that hold data, all of them with `--preallocate` (S2). */
async function checkRoom(targets: readonly Planned[], preallocate: boolean): Promise<void> {
  const files = targets.filter(({ format }) => format !== 'block-device');
  const [first] = files;
  if (!first) return;
  const needed = files.reduce((sum, { plan, disk }) => sum + (preallocate ? disk.size : plan.data), 0);
  const found = await statfs(dirname(first.path)).catch(() => undefined);
  if (!found || found.bavail * found.bsize >= needed) return;
  throw new VhdvaultError(
    'NO_SPACE',
    `the restore needs ${Math.ceil(needed / MIB)} MiB at ${dirname(first.path)}, which has ${Math.floor((found.bavail * found.bsize) / MIB)} MiB free`,
    {
      hint: 'free some space or name another target; nothing was written',
      details: { needed, free: found.bavail * found.bsize },
    },
  );
}

function restoreProgress(
  targets: readonly Target[],
  onProgress: ((progress: Progress) => void) | undefined,
): (n: number, counts: CopyCounts) => void {
  const done = targets.map(() => 0);
  const total = targets.reduce((sum, { disk }) => sum + disk.size, 0);
  return (n, counts) => {
    done[n] = counts.done;
    const disks = targets.map(({ disk }, k) => ({
      name: disk.name,
      size: disk.size,
      done: done[k] as number,
      read: 0,
      changed: 0,
      stored: 0,
    }));
    (disks[n] as { read: number }).read = counts.read;
    onProgress?.({ phase: 'writing', done: done.reduce((sum, bytes) => sum + bytes, 0), total, disks });
  };
}
