import { capture } from '../backup/capture.ts';
import type { CapturedDisk } from '../backup/capture-options.ts';
import { type BackupPlan, checkDiskNames, checkDiskSize, planBackup } from '../backup/plan-backup.ts';
import { checkUnchanged } from '../backup/scan.ts';
import { checkSpace } from '../backup/space.ts';
import { throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { checkName } from '../base/names.ts';
import { refreshIndexCache } from '../cache/index-cache.ts';
import { mergeBack } from '../merge/merge-back.ts';
import { pointsOf } from '../point/catalog.ts';
import { checkWords, encodeManifest, type Manifest, parseManifest } from '../point/manifest.ts';
import { createStaging, findLeftovers, removeStaging, type StagingLocation } from '../staging/staging-location.ts';
import { backupResult, manifestDisk, mergedDisks } from './backup-result.ts';
import { type ItemLock, lockItem } from './item-lock.ts';
import { disksOf } from './latest-disks.ts';
import { openAddress } from './open-address.ts';
import { scanProgress } from './scan-progress.ts';
import { newTable, overlayOf, removeScratch, tableOf } from './scratch.ts';
import type { VaultSession } from './session.ts';
import { closeSources, openSources, type SourceDisk } from './source-disks.ts';
import type { BackupResult, NamedDisk, Watchable } from './types.ts';

export interface BackupOptions extends Watchable {
  /** Default auto: full the first time, incremental afterwards. */
  type?: 'auto' | 'full' | 'incremental';
  /** Default: the first disk. */
  bootDisk?: string;
  tags?: string[];
  note?: string;
  /** Without disks: folders in which parents of those of the latest point may lie. */
  parentRoots?: string[];
}

/** One run: what its steps share. */
interface Run {
  session: VaultSession;
  item: string;
  options: BackupOptions;
  staging: StagingLocation;
  plan: BackupPlan;
  sources: SourceDisk[];
  started: number;
  /** By the monotonic clock, milliseconds. */
  begun: number;
  warnings: string[];
  notices: string[];
}

/**
 * Makes a recovery point of an item: all its disks, in parallel, only what changed. Without disks, those of the item's
 * latest point. A point is there whole or not at all; whatever interrupts the run, the next one needs no repair.
 * @throws ITEM_NAME, DISK_NAME, ITEM_LOCKED, SOURCE_CHANGED, NO_SPACE, VAULT_READ_ONLY, CANCELLED, and what opening the disks throws
 */
export async function backup(
  session: VaultSession,
  item: string,
  disks: readonly NamedDisk[],
  options: BackupOptions = {},
): Promise<BackupResult> {
  checkName('item', item);
  checkWords({ tags: options.tags ?? [], note: options.note ?? '' });
  throwIfAborted(options.signal);
  const { vault } = session;
  const started = vault.clock.now();
  const begun = vault.clock.monotonic();
  await using lock = await lockForWriting(session, item, options.signal);
  await vault.refresh();
  const latest = pointsOf(vault, item).at(-1);
  const wanted = disks.length > 0 ? disks : disksOf(latest, item, options.parentRoots);
  checkDiskNames(
    wanted.map(({ name }) => name),
    options.bootDisk,
  );
  const sources = await openSources(wanted, vault.clock, options.signal);
  try {
    for (const { name, disk } of sources) checkDiskSize(name, disk.size, vault.config.blockSize);
    const plan = planBackup({ type: options.type ?? 'auto', latest, disks: wanted.map(({ name }) => name) });
    const job = toHex(vault.random.bytes(16));
    const notices = [...(lock.takenOver ? [lock.takenOver] : []), ...sources.flatMap(({ notices }) => notices)];
    const warnings = [
      ...(session.clockDoubt ? [session.clockDoubt] : []),
      ...plan.warnings,
      ...sources.flatMap((source) => source.warnings),
    ];
    for (const warning of await checkSpace(vault, session.pool.threads, plan.base === undefined, sources)) {
      // Told now, not only at the end, which a full disk may prevent.
      session.notice(warning);
      warnings.push(warning);
    }
    const staging = await createStaging(vault, job, { item, started });
    const run: Run = { session, item, options, staging, plan, sources, started, begun, warnings, notices };
    try {
      await clearLeftovers(run);
      return await makePoint(run);
    } finally {
      await cleanUp(run);
    }
  } finally {
    await closeSources(sources);
  }
}

async function makePoint(run: Run): Promise<BackupResult> {
  const { session, item, options, staging, sources } = run;
  const { vault } = session;
  const index = await refreshIndexCache(session.cache, vault);
  if (index.notice) run.notices.push(index.notice);
  if (index.damage !== undefined) withoutBase(run, index.damage);
  const { plan } = run;
  const progress = scanProgress(sources, options.onProgress);
  const captured = await capture({
    vault,
    pool: session.pool,
    openDisk: openAddress,
    index: index.address,
    job: staging.job,
    folder: staging.folder,
    overlay: overlayOf(session, staging.job),
    disks: sources.map((source) => ({
      ...{ name: source.name, address: source.address, size: source.disk.size, generation: source.generation },
      table: newTable(session, item, source.name, staging.job),
      base: baseOf(run, source.name),
    })),
    signal: options.signal,
    onCounts: progress.counts,
  });
  progress.phase('saving');
  for (const source of sources) await checkUnchanged(source.disk, source);
  const reason = `${plan.reason}${tableReason(captured.disks)}`;
  const manifest = manifestOf(run, captured.disks, reason);
  const point = toHex(vault.random.bytes(8));
  throwIfAborted(options.signal);
  const entry = await vault.commitPoint({
    ...{ job: staging.job, folder: staging.folder, point, adds: captured.adds },
    manifest: () => checkedManifest(manifest),
  });
  const tables = {
    from: (name: string) => newTable(session, item, name, staging.job),
    to: (name: string) => tableOf(session, item, name),
  };
  run.notices.push(...(await mergeBack(vault, session.cache, mergedDisks(manifest, tables))));
  await session.rememberHead();
  progress.phase('done');
  return backupResult({
    manifest,
    point: `p${point}`,
    base: plan.base,
    captured: captured.disks,
    finished: entry.time,
    seconds: (vault.clock.monotonic() - run.begun) / 1000,
    ...run,
  });
}

/** Where the index has lost blocks nothing can be taken for granted: every id is looked up, and what is missing is stored again. */
function withoutBase(run: Run, damage: string): void {
  run.warnings.push(`${damage}: what it held is stored again as far as these disks have it; run \`vhdvault verify\``);
  run.plan = { ...run.plan, type: 'full', base: undefined, reason: 'the index of the vault is damaged: a full one' };
}

/** One manifest that does not parse would stop every command, so it is read back before it enters the log. */
function checkedManifest(manifest: Manifest): Uint8Array {
  const bytes = encodeManifest(manifest);
  parseManifest(bytes, 'memory');
  return bytes;
}

function manifestOf(
  { session, item, plan, options, sources, started }: Run,
  captured: readonly CapturedDisk[],
  reason: string,
): Manifest {
  return {
    ...{ item, type: plan.type, base: plan.base?.logged.point ?? null, consistency: 'crash', started, reason },
    hooks: { outcome: 'none', output: '' },
    tags: options.tags ?? [],
    note: options.note ?? '',
    bootDisk: options.bootDisk ?? (sources[0] as SourceDisk).name,
    disks: sources.map((source, n) =>
      manifestDisk({ ...source, blockSize: session.vault.config.blockSize }, captured[n] as CapturedDisk),
    ),
  };
}

/** Under the item's lock any other staging location of the item is of a dead job: it is closed in the log and removed. */
async function clearLeftovers(run: Run): Promise<void> {
  const { item, staging, notices } = run;
  const { vault } = run.session;
  for (const left of await findLeftovers(vault, item)) {
    if (left.job === staging.job) continue;
    await vault.abandonJob(staging.job, staging.folder, left.job);
    await removeStaging(left);
    await removeScratch(run.session, item, namesOf(run), left.job);
    notices.push(`leftovers of an interrupted run (job ${left.job.slice(0, 8)}) were removed`);
  }
}

/** Whatever happened: no staging location, no overlay, no unfinished table stays. A job that stored packs in vain is closed. */
async function cleanUp(run: Run): Promise<void> {
  const { staging } = run;
  const { vault } = run.session;
  try {
    await vault.abandonJob(staging.job, staging.folder, staging.job);
    await removeStaging(staging);
    await removeScratch(run.session, run.item, namesOf(run), staging.job);
  } catch (error) {
    // The point is made, or the cause of its failure is being told: neither may be hidden by this.
    run.session.notice(`what the run leaves behind stays for the next one to remove (${(error as Error).message})`);
  }
}

function namesOf({ sources }: Run): string[] {
  return sources.map(({ name }) => name);
}

async function lockForWriting(
  { vault }: VaultSession,
  item: string,
  signal: AbortSignal | undefined,
): Promise<ItemLock> {
  if (vault.damage) throw vault.damage;
  try {
    return await lockItem(vault, item, signal);
  } catch (error) {
    if (!isError(error, 'NO_PERMISSION')) throw error;
    throw new VhdvaultError('VAULT_READ_ONLY', `the vault cannot be written: ${error.message}`, {
      hint: 'points, show, restore and verify work on a read-only vault; a backup needs to write to it',
      cause: error,
    });
  }
}

/** Which pages of the base's map had to be fetched: tells whether the checksum table was there. */
function tableReason(captured: readonly CapturedDisk[]): string {
  const bases = captured.flatMap(({ base }) => (base ? [base] : []));
  if (bases.length === 0) return '';
  const fetched = bases.reduce((sum, { fromVault }) => sum + fromVault, 0);
  return fetched === 0 ? ', by the checksum table' : ', by the map in the vault (no checksum table that fits)';
}

function baseOf({ session, item, plan }: Run, name: string): { size: number; root: string; table: string } | null {
  const disk = plan.base?.manifest.disks.find((candidate) => candidate.name === name);
  return disk ? { size: disk.size, root: disk.root, table: tableOf(session, item, name) } : null;
}
