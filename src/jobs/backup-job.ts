import { join } from 'node:path';
import { checkSpace, FULL_VAULT_CURE } from '../backup/space.ts';
import { throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { checkName } from '../base/names.ts';
import { pointsOf } from '../point/catalog.ts';
import { capturedPacks, createStaging, removeParts, type StagingLocation } from '../staging/staging-location.ts';
import { type BackupHooks, withHooks } from './backup-hooks.ts';
import { type BackupRun, openRun } from './backup-run.ts';
import type { BackupOptions, BackupResult } from './backup-types.ts';
import { checkOptions } from './check-options.ts';
import { parseDiskArguments } from './disk-argument.ts';
import type { ItemLock } from './item-lock.ts';
import { dropJob, type Resumed, settleLeftovers } from './leftovers.ts';
import { lockForWriting } from './lock-for-writing.ts';
import { makePoint } from './make-point.ts';
import { removeScratch } from './scratch.ts';
import type { VaultSession } from './session.ts';
import type { DiskArgument, NamedDisk } from './types.ts';

/** How often a run begins again because another one closed its job; each time that other one had to be very sure. */
const MOST_JOBS = 3;

/**
 * Makes a recovery point of an item: all its disks, in parallel, only what changed. Without disks, those of the item's
 * latest point. A point is there whole or not at all; whatever interrupts the run, the next one goes on with what was
 * stored and needs no repair.
 * @throws ITEM_NAME, DISK_NAME, ITEM_LOCKED, SOURCE_CHANGED, NO_SPACE, HOOK_FAILED, VAULT_READ_ONLY, CANCELLED, and what
 * opening the disks throws
 */
export async function backup(
  session: VaultSession,
  item: string,
  disks: readonly DiskArgument[],
  options: BackupOptions = {},
): Promise<BackupResult> {
  checkName('item', item);
  checkOptions(options);
  const named = parseDiskArguments(disks, { parentRoots: options.parentRoots });
  throwIfAborted(options.signal);
  return await backupItem(session, item, named, options).catch((error: unknown) => {
    throw withCure(session, error);
  });
}

async function backupItem(
  session: VaultSession,
  item: string,
  named: readonly NamedDisk[],
  options: BackupOptions,
): Promise<BackupResult> {
  await using lock = await lockForWriting(session, item, options.signal);
  await session.vault.refreshWhole();
  return await withHooks(session, item, options, async (hooks) => {
    await using run = await openRun(session, item, named, options);
    run.notices.unshift(...(lock.takenOver ? [lock.takenOver] : []));
    run.warnings.push(...hooks.warnings);
    await checkRoom(run);
    return await runJobs(run, hooks, lock);
  });
}

/** Whoever has no room in the vault is told how to make some; where else a disk is full, the path says it. */
function withCure({ vault }: VaultSession, error: unknown): unknown {
  if (!isError(error, 'NO_SPACE') || error.details.system === 'EFBIG') return error;
  const { address } = vault.store;
  const { path } = error.details;
  const places = address.kind === 'folder' ? [address.path, address.staging] : [];
  if (!places.some((place) => place !== undefined && String(path).startsWith(join(place, '/')))) return error;
  const hint = `${FULL_VAULT_CURE}. Nothing that was saved before is lost`;
  return new VhdvaultError('NO_SPACE', error.message, { hint, details: error.details, cause: error });
}

async function checkRoom({ session, item, plan, sources, warnings }: BackupRun): Promise<void> {
  const { vault, pool } = session;
  // What a full one stored tells nothing of one that compares.
  const last = pointsOf(vault, item).findLast(({ manifest }) => manifest.type !== 'full');
  const lastStored = last?.manifest.disks.reduce((sum, { bytes }) => sum + bytes.stored, 0);
  const forecast = { threads: pool.threads, isFirst: plan.base === undefined, lastStored, disks: sources };
  for (const warning of await checkSpace(vault, forecast)) {
    // Told now, not only at the end, which a full disk may prevent.
    session.notice(warning);
    warnings.push(warning);
  }
}

/** Makes the point under a job; if another run closes that, under a new one, and none of the old job's packs count (J4). */
async function runJobs(run: BackupRun, hooks: BackupHooks, lock: ItemLock): Promise<BackupResult> {
  for (let tries = 1; ; tries++) {
    const opened = await openStaging(run).catch(async (error: unknown) => {
      if (await wasTakenOver(lock, error)) throw takenOver(run.item, error);
      // A gc took the folder for a dead run's before its journal was in it, or what a dead run left went to another one meanwhile.
      if (tries === MOST_JOBS || !isError(error, 'ITEM_LOCKED', 'NOT_FOUND')) throw error;
    });
    if (!opened) continue;
    const { staging, resumed } = opened;
    const token = toHex(run.session.vault.random.bytes(4));
    try {
      return await makePoint(run, { staging, resumed, run: token, label: hooks.label });
    } catch (error) {
      let closed = await closedMeanwhile(run, staging, error);
      if (!closed && (await wasTakenOver(lock, error))) throw takenOver(run.item, error);
      if (!closed && (await wasRemoved(staging, error))) closed = 'given up';
      if (!closed || tries === MOST_JOBS) throw error;
      if (closed === 'by a point') throw madeByAnother(run.item, error);
      run.notices.push('another run closed the job of this one: it began again under a new one');
    } finally {
      await endJob(run, staging, token);
    }
  }
}

/**
 * Was the job closed in the log by somebody else? Then its staging location may be gone too, and the error be of that.
 * Nothing fails after the commit, so it cannot have been this run's own point, unless the outcome is unknown.
 */
async function closedMeanwhile(
  { session: { vault } }: BackupRun,
  { job }: StagingLocation,
  error: unknown,
): Promise<'by a point' | 'given up' | undefined> {
  if (!isError(error) || isError(error, 'OUTCOME_UNKNOWN', 'CANCELLED')) return undefined;
  await vault.refresh().catch(() => undefined);
  if (vault.state.jobs.get(job) !== 'closed') return undefined;
  return [...vault.state.points.values()].some((point) => point.job === job) ? 'by a point' : 'given up';
}

/** Taken for dead (stopped for a while, say), the run misses what another one removed or uses now. */
async function wasTakenOver(lock: ItemLock, error: unknown): Promise<boolean> {
  return isError(error, 'VAULT_DAMAGED', 'ITEM_LOCKED', 'NOT_FOUND', 'IO') && !(await lock.isHeld().catch(() => true));
}

/** Stopped for a while before its job was open, the run was taken for dead by a gc. */
async function wasRemoved({ store, folder }: StagingLocation, error: unknown): Promise<boolean> {
  const journal = `${folder}/journal`;
  return isError(error, 'VAULT_DAMAGED', 'NOT_FOUND', 'IO') && (await store.size(journal).catch(() => 0)) === undefined;
}

function takenOver(item: string, cause: unknown): VhdvaultError {
  return new VhdvaultError('ITEM_LOCKED', `another run of ${item} took this one for dead, and took its place`, {
    hint: `see \`vhdvault points ${item}\` for what it saves; nothing is lost`,
    details: { item },
    cause,
  });
}

/** That of an interrupted run, to go on with, or a new one. */
async function openStaging({ session, item, started, notices }: BackupRun): Promise<{
  staging: StagingLocation;
  resumed: Resumed | undefined;
}> {
  const resumed = await settleLeftovers(session, item, (text) => notices.push(text));
  const job = toHex(session.vault.random.bytes(16));
  return { staging: resumed ?? (await createStaging(session.vault, job, { item, started })), resumed };
}

/**
 * Whatever happened: nothing half-written stays. What a job stored before it failed stays, with its journal, for the next
 * run; a job that stored nothing, or made its point, goes.
 */
async function endJob({ session, item }: BackupRun, staging: StagingLocation, run: string): Promise<void> {
  const { vault } = session;
  try {
    const packs = vault.state.jobs.get(staging.job) === 'open' ? await capturedPacks(staging) : [];
    if (packs.length === 0) return await dropJob(session, item, staging);
    await removeParts(staging, run);
    await removeScratch(session, { job: staging.job, run });
    session.notice(
      `what was stored so far (${packs.length === 1 ? '1 pack' : `${packs.length} packs`}) is kept, and the next run goes on with it`,
    );
  } catch (error) {
    // The point is made, or the cause of its failure is being told: neither may be hidden by this.
    session.notice(`what the run leaves behind stays for the next one to remove (${(error as Error).message})`);
  }
}

function madeByAnother(item: string, cause: unknown): VhdvaultError {
  return new VhdvaultError(
    'ITEM_LOCKED',
    `another run of ${item} went on with the same interrupted run, and made its point`,
    {
      hint: `see \`vhdvault points ${item}\`; run the backup again if a newer point is wanted`,
      details: { item },
      cause,
    },
  );
}
