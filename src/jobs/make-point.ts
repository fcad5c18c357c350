import { rm } from 'node:fs/promises';
import { capture } from '../backup/capture.ts';
import type { CaptureDisk, CapturedDisk } from '../backup/capture-options.ts';
import { holdsEveryBlock } from '../backup/recheck.ts';
import { checkUnchanged } from '../backup/scan.ts';
import { throwIfAborted } from '../base/abort.ts';
import { isError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import type { IndexAddress } from '../cache/index-cache.ts';
import { refreshIndexCache } from '../cache/index-cache.ts';
import { mergeBack } from '../merge/merge-back.ts';
import { encodeManifest, type Manifest, type PointLabel, parseManifest } from '../point/manifest.ts';
import { capturedPacks, type StagingLocation } from '../staging/staging-location.ts';
import { type Adds, isLive, type VaultState } from '../vault/vault.ts';
import { backupResult, manifestDisk } from './backup-result.ts';
import { type BackupRun, checkItemRoom, replan, withoutBase } from './backup-run.ts';
import type { BackupResult } from './backup-types.ts';
import { distrust, type KnownParents, keepStamps, knownParents } from './known-parents.ts';
import type { Resumed } from './leftovers.ts';
import { openAddress } from './open-address.ts';
import { type ScanProgress, scanProgress } from './scan-progress.ts';
import { newTable, overlayOf, type RunName, stampsOf, tableOf } from './scratch.ts';
import type { SourceDisk } from './source-disks.ts';

/** What a job works with besides the run: its staging location, and what an interrupted run of it had stored. */
export interface PointJob {
  staging: StagingLocation;
  /** Of this run, among all that had the job: 8 hex digits. */
  run: string;
  resumed: Resumed | undefined;
  /** What is known of consistency and hooks before `--post` runs. */
  label: PointLabel;
}

/**
 * Captures the disks, commits the point and merges it back. Where somebody took away meanwhile what the point would refer
 * to, the disks are read again and what is missing is stored; what this run had stored is used.
 * @throws JOB_CLOSED, ITEM_FULL, SOURCE_CHANGED, NO_SPACE, CANCELLED
 */
export async function makePoint(run: BackupRun, job: PointJob): Promise<BackupResult> {
  const { session, sources, options } = run;
  const { vault } = session;
  const progress = scanProgress(sources, options.onProgress);
  for (let resumed = job.resumed?.packs ?? []; ; resumed = await capturedPacks(job.staging)) {
    const capturing = await captureAll(run, { ...job, progress }, resumed).catch((error: unknown) =>
      unlessBaseIsGone(run, error),
    );
    progress.phase('saving');
    if (capturing && distrust(run, capturing.disks)) {
      progress.phase('reading');
      continue;
    }
    const saved = capturing && (await commit(run, job, capturing));
    if (!saved) {
      progress.phase('reading');
      run.notices.push(
        'blocks that this run relied on were taken out of the vault meanwhile: the disks were read once more',
      );
      replan(run);
      continue;
    }
    await afterCommit(run, { ...job, ...saved, parents: capturing.parents }, () => progress.phase('done'));
    const seconds = (vault.clock.monotonic() - run.begun) / 1000;
    return backupResult(run, { ...saved, seconds, resumed: job.resumed?.record.started ?? null });
  }
}

/** Stopped for a while, the run may find its base forgotten, and given up: that is no damage. */
async function unlessBaseIsGone({ session: { vault }, plan: { base } }: BackupRun, error: unknown): Promise<null> {
  if (!base || !isError(error, 'VAULT_DAMAGED')) throw error;
  await vault.refresh();
  if (isLive(vault.state, base.logged.point)) throw error;
  return null;
}

/** What was captured, and the state of the log that it relies on. */
interface Capturing {
  disks: CapturedDisk[];
  adds: Adds[];
  /** As the scan got them. */
  captureDisks: CaptureDisk[];
  parents: KnownParents[];
  /** Number of the newest entry when the index was brought up to date. */
  basis: number;
  remark: string;
}

async function captureAll(
  run: BackupRun,
  { staging, run: token, progress }: PointJob & { progress: ScanProgress },
  resumed: readonly string[],
): Promise<Capturing> {
  const { session, options } = run;
  const { vault } = session;
  const name = { job: staging.job, run: token };
  const index = await indexFor(run);
  const basis = vault.state.sequence;
  const parents = await knownParents(run, mustHeal(run));
  const disks = captureDisks(run, name, parents);
  const captured = await capture({
    ...{ vault, pool: session.pool, openDisk: openAddress, index: index.address },
    ...{ ...name, folder: staging.folder, overlay: overlayOf(session, name), resumed },
    ...{ disks, heals: mustHeal(run), limit: run.limit, signal: options.signal, onCounts: progress.counts },
  });
  return { ...captured, captureDisks: disks, parents, basis, remark: remarksOf(index.remark, parents) };
}

/** The point; null where the log took away what it would refer to. */
async function commit(
  run: BackupRun,
  { staging, run: token, label }: PointJob,
  capturing: Capturing,
): Promise<{ manifest: Manifest; point: string; captured: CapturedDisk[]; finished: number } | null> {
  const { session, sources, options, item } = run;
  const { vault } = session;
  for (const source of sources) await checkUnchanged(source.disk, source);
  const manifest = manifestOf(run, capturing.disks, label, capturing.remark);
  const point = toHex(vault.random.bytes(8));
  throwIfAborted(options.signal);
  const entry = await vault.commitPoint({
    ...{ job: staging.job, folder: staging.folder, point, adds: capturing.adds },
    manifest: async (state) => {
      checkItemRoom(vault, item);
      const holds =
        !wasShrunk(run, state, capturing.basis) || (await recheck(run, { job: staging.job, run: token }, capturing));
      return holds ? checkedManifest(manifest) : null;
    },
  });
  return entry && { manifest, point: `p${point}`, captured: capturing.disks, finished: entry.time };
}

/** Packs were quarantined since the base was made: what it has may be bad (J4a). */
export function mustHeal({ session: { vault }, plan: { base } }: BackupRun): boolean {
  return base !== undefined && vault.state.lastQuarantine > base.sequence;
}

/** Somebody took packs away since the scan began, or forgot the base: not every id is sure to be there (J4). */
function wasShrunk({ plan: { base } }: BackupRun, state: VaultState, basis: number): boolean {
  const { lastCondemn, lastQuarantine } = state;
  return lastCondemn > basis || lastQuarantine > basis || (base !== undefined && !isLive(state, base.logged.point));
}

async function recheck(
  run: BackupRun,
  name: RunName,
  { captureDisks: disks, disks: captured }: Capturing,
): Promise<boolean> {
  const { session, options } = run;
  const { address: index } = await refreshIndexCache(session.cache, session.vault);
  const overlay = overlayOf(session, name);
  return await holdsEveryBlock({ vault: session.vault, index, overlay, disks, captured, signal: options.signal });
}

/** The local index, brought up to date; what was wrong with it becomes part of the reason. */
export async function indexFor(run: BackupRun): Promise<{ address: IndexAddress; remark: string }> {
  const { address, notice, damage } = await refreshIndexCache(run.session.cache, run.session.vault);
  if (damage !== undefined) withoutBase(run, damage);
  return { address, remark: notice ?? '' };
}

/** The disks of a run, as the scan needs them. */
export function captureDisks(
  { session, item, plan, sources }: BackupRun,
  run: RunName,
  parents: readonly KnownParents[],
): CaptureDisk[] {
  return sources.map(({ name, address, disk, generation }, n) => {
    const base = plan.bases[n];
    return {
      ...{ name, address, size: disk.size, generation },
      table: newTable(session, item, name, run),
      base: base ? { size: base.size, root: base.root, table: tableOf(session, item, base.name) } : null,
      newLayers: (parents[n] as KnownParents).newLayers,
    };
  });
}

/** What belongs to the reason of a run, of its index and of its disks. */
export function remarksOf(index: string, parents: readonly KnownParents[]): string {
  return [index, ...parents.map(({ remark }) => remark)].filter((remark) => remark !== '').join('; ');
}

/** What was compared with, and how it was known. */
export function reasonOf({ plan }: BackupRun, captured: readonly CapturedDisk[], remark: string): string {
  return `${plan.reason}${tableReason(captured, plan.type === 'differential')}${remark && `; ${remark}`}`;
}

/** The checksum table is of the latest point, so it seldom fits the base of a differential one. */
function tableReason(captured: readonly CapturedDisk[], isDifferential: boolean): string {
  const bases = captured.flatMap(({ base }) => (base ? [base] : []));
  const fetched = bases.reduce((sum, { fromVault }) => sum + fromVault, 0);
  const known = bases.reduce((sum, { fromTable }) => sum + fromTable, 0);
  const tables = bases.filter(({ hasTable }) => hasTable).length;
  if (bases.length === 0) return '';
  if (isDifferential && fetched > 0) return ', by the map in the vault';
  if (tables === 0) return ', by the map in the vault (there is no checksum table)';
  if (fetched === 0) return ', by the checksum table';
  if (known === 0) return ', by the map in the vault (the checksum table does not fit)';
  return `, by the checksum table and ${fetched} ${fetched === 1 ? 'page' : 'pages'} of the map in the vault, where it does not fit`;
}

function manifestOf(run: BackupRun, captured: readonly CapturedDisk[], label: PointLabel, remark: string): Manifest {
  const { session, item, plan, options, sources, started } = run;
  return {
    ...{ item, type: plan.type, base: plan.base?.logged.point ?? null, started, ...label },
    reason: reasonOf(run, captured, remark),
    tags: options.tags ?? [],
    note: options.note ?? '',
    bootDisk: options.bootDisk ?? (sources[0] as SourceDisk).name,
    disks: sources.map((source, n) =>
      manifestDisk({ ...source, blockSize: session.vault.config.blockSize }, captured[n] as CapturedDisk),
    ),
  };
}

/** One manifest that does not parse would stop every command, so it is read back before it enters the log. */
function checkedManifest(manifest: Manifest): Uint8Array {
  const bytes = encodeManifest(manifest);
  parseManifest(bytes, 'memory');
  return bytes;
}

/** Merge-back, and what else is good to have: the point is there, so nothing of this makes the run fail. */
async function afterCommit(
  run: BackupRun,
  made: PointJob & { point: string; captured: readonly CapturedDisk[]; parents: readonly KnownParents[] },
  done: () => void,
): Promise<void> {
  const { session, item, options, sources, plan, notices } = run;
  try {
    const tables = sources.map((disk) => ({
      from: newTable(session, item, disk.name, { job: made.staging.job, run: made.run }),
      to: tableOf(session, item, disk.name),
    }));
    notices.push(...(await mergeBack(session.vault, session.cache, tables)));
    await keepStamps(run, { ...made, point: made.point.slice(1) });
    for (const gone of plan.gone) {
      for (const file of [tableOf, stampsOf]) await rm(file(session, item, gone), { force: true });
    }
    await session.rememberHead(options);
    done();
  } catch (error) {
    notices.push(`the point is saved, but not all that follows was done: ${(error as Error).message}`);
  }
}
