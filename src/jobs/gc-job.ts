import { throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import { abandonJobs, findDeadJobs } from '../prune/abandon.ts';
import { applyCondemn, planCondemn } from '../prune/condemn.ts';
import { removeLeftovers } from '../prune/leftovers.ts';
import type { Marks } from '../prune/mark.ts';
import { mergeIndex } from '../prune/merge-index.ts';
import { Needs } from '../prune/needs.ts';
import { findOrphans, type Orphans } from '../prune/orphans.ts';
import { GC_ITEM } from '../prune/own-job.ts';
import { planRepack } from '../prune/plan-repack.ts';
import { repack } from '../prune/repack.ts';
import { applySweep, deleteFiles, planSweep } from '../prune/sweep.ts';
import { ageTime, checkClock } from './check-clock.ts';
import {
  type Collection,
  checkSpans,
  leftoversIn,
  markAll,
  openCollection,
  type Staging,
  spansOf,
  stagingOf,
  tellKept,
} from './gc-collection.ts';
import { previewGc } from './gc-preview.ts';
import { count, countAbandoned, countSwept, newTally, setLater, type Tally } from './gc-tally.ts';
import type { GcOptions, GcResult } from './gc-types.ts';
import { type ItemLock, removeDeadLocks } from './item-lock.ts';
import { lockForWriting } from './lock-for-writing.ts';
import { openReserve, type Reserve } from './open-reserve.ts';
import { removeScratch } from './scratch.ts';
import type { VaultSession } from './session.ts';

/**
 * Frees what no point needs, in steps that are each safe at any time, beside backups and other gcs: what is needed is marked, packs
 * that are not are condemned in the log, and files that were condemned `grace` ago are deleted. So what one gc condemns the next
 * one frees, but with `grace` 0. Half-empty packs are stored anew, and the index is kept in shape.
 * @throws GC_BLOCKED where what cannot be read might tell of a block that is needed; CLOCK_DOUBTED without `acceptClock`, ITEM_LOCKED,
 * VAULT_READ_ONLY, VAULT_DAMAGED, NO_SPACE, OUTCOME_UNKNOWN, CANCELLED, USAGE, IO
 */
export async function gc(session: VaultSession, options: GcOptions = {}): Promise<GcResult> {
  const { vault } = session;
  throwIfAborted(options.signal);
  checkSpans(options);
  const begun = vault.clock.monotonic();
  const tally = newTally();
  if (options.dryRun) {
    await vault.refresh();
    await previewGc(openCollection(session, options, tally));
  } else await collect(session, options, tally);
  const { softDelete, grace } = spansOf(options);
  const spans = { softDelete: softDelete / 1000, grace: grace / 1000 };
  const seconds = (vault.clock.monotonic() - begun) / 1000;
  return { dryRun: options.dryRun ?? false, ...tally, ...spans, seconds };
}

async function collect(session: VaultSession, options: GcOptions, tally: Tally): Promise<void> {
  const { vault } = session;
  checkClock(session, options);
  const reserve = openReserve(vault);
  await using lock = await reserve.firstOfAll(() => lockGc(session, options.signal));
  if (lock.takenOver) tally.notices.push(lock.takenOver);
  const before = vault.state.sequence;
  try {
    await vault.refreshWhole();
    const all = openCollection(session, options, tally, lock);
    await collectAll(all, reserve);
    await restoreReserve(all, reserve);
  } catch (error) {
    // What is left of it is set aside again at once: without it a full disk would leave no way out.
    if (reserve.wasUsed) await reserve.restore(undefined).catch(() => undefined);
    throw error;
  } finally {
    if (vault.state.sequence > before || options.acceptClock) await session.rememberHead(options);
  }
}

async function collectAll(all: Collection, reserve: Reserve): Promise<void> {
  const { session, options, tally, sparing, grace, isAlive } = all;
  const { vault } = session;
  const { signal } = options;
  const staging = await stagingOf(all);
  const dead = staging ? await findDeadJobs({ vault, ...staging, now: ageTime(session), grace, isAlive }) : [];
  await reserve.firstOfAll(() => abandonJobs(vault, dead, (job) => countAbandoned(tally, job)));
  // Before what may be blocked, and in the way of nothing: no point needs any of it.
  await tidyStaging(all, staging);
  await forgetScratch(session, staging?.locations ?? []);
  await removeDeadLocks(vault);
  const marks = await markAll(all);
  const needs = new Needs(marks, { vault, sparing, signal });
  const plan = await planCondemn(vault, marks, { signal });
  await reserve.firstOfAll(() => applyCondemn(vault, needs, plan, (done) => count(tally, 'condemned', done)));
  await reserve.firstOfAll(() => sweep(all));
  const orphans = await deleteOrphans(all);
  await withRoom(all, 'packs that are half empty were not stored anew', () => repackAll(all, needs));
  await withRoom(all, 'the index was not merged', () =>
    mergeIndex(vault, { signal }, (done) => count(tally, 'merged', done)),
  );
  await sweep(all);
  setLater(tally, (await planSweep(vault, { now: ageTime(session), grace }, { signal })).later);
  await tellKept(all, staging, orphans);
}

/** What a gc could free at once on a full disk, and does not unasked. */
function waysOut({ freedLater, forgottenLater, freedBytes }: Tally): string[] {
  if (freedLater.length > 0)
    return [
      'the disk is full, and what was given up is freed later only: run `vhdvault gc --grace 0s` if nobody restores now',
    ];
  if (forgottenLater.length === 0 || freedBytes > 0) return [];
  return [
    'the disk is full, and forgotten points are kept for a while: `vhdvault gc --soft-delete 0s --grace 0s` frees what only they hold at once, and nothing brings them back then',
  ];
}

/** It may have been used before this gc: by a forget, or by the gc of yesterday. */
async function restoreReserve({ options, tally }: Collection, reserve: Reserve): Promise<void> {
  const problem = await reserve.restore(options.signal);
  if (problem?.code === 'NO_SPACE') tally.warnings.push(...waysOut(tally));
  if (problem) tally.warnings.push(problem.message);
  else if (reserve.wasUsed) tally.notices.push('the disk was full: the reserve was used, and is there again');
}

async function tidyStaging(all: Collection, staging: Staging | undefined): Promise<void> {
  const { session, tally } = all;
  const left = await leftoversIn(all, staging);
  try {
    await removeLeftovers(session.vault, left, (bytes) => countSwept(tally, 'leftovers', bytes));
  } catch (error) {
    if (!isError(error, 'IO', 'NO_PERMISSION', 'NO_SPACE')) throw error;
    tally.warnings.push(`what interrupted runs left was not removed: ${error.message}`);
  }
}

async function sweep({ session, options: { signal }, tally, grace }: Collection): Promise<void> {
  const { vault } = session;
  const plan = await planSweep(vault, { now: ageTime(session), grace }, { signal });
  await applySweep(vault, plan, { signal }, (kind, bytes) => countSwept(tally, kind, bytes));
}

async function deleteOrphans({ session: { vault }, options: { signal }, tally }: Collection): Promise<Orphans> {
  const orphans = await findOrphans(vault, { signal });
  const { packs, segments, warnings } = orphans;
  tally.warnings.push(...warnings);
  await deleteFiles(vault, packs, { signal, onDelete: (bytes) => countSwept(tally, 'packs', bytes) });
  await deleteFiles(vault, segments, { signal, onDelete: (bytes) => countSwept(tally, 'segments', bytes) });
  return orphans;
}

/** What a run of this machine that nobody can go on with kept in the cache; it saves time only, and so does its removal. */
async function forgetScratch(session: VaultSession, locations: readonly { job: string }[]): Promise<void> {
  const { jobs } = session.vault.state;
  for (const { job } of locations) {
    if (jobs.get(job) === 'closed') await removeScratch(session, { job });
  }
}

/** What needs room to free some: where there is none, the vault does without for now. */
async function withRoom({ tally }: Collection, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isError(error, 'NO_SPACE')) throw error;
    tally.warnings.push(`${what}: ${error.message}`);
  }
}

async function repackAll(all: Collection, needs: Needs): Promise<void> {
  const { session, options, tally, grace } = all;
  const { vault } = session;
  const { signal, onProgress } = options;
  const plan = await planRepack(vault, needs.marks, { signal });
  let done = 0;
  const onBytes = (bytes: number): void => {
    done += bytes;
    onProgress?.({ phase: 'writing', done, total: plan.bytes, disks: [] });
  };
  const onWarning = (warning: string): void => void tally.warnings.push(warning);
  for (const batch of plan.batches) {
    throwIfAborted(signal);
    if (!(await hasRoom(all, needs.marks, batch))) return;
    const repacked = await repack({ vault, needs, signal, onBytes, onWarning }, batch);
    if (!repacked) continue;
    count(tally, 'repacked', repacked);
    // Before the next batch needs its room.
    if (grace === 0) await sweep(all);
  }
}

/** For the copies of a batch, beside the reserve. */
async function hasRoom(
  { session: { vault }, tally }: Collection,
  { packs }: Marks,
  batch: readonly number[],
): Promise<boolean> {
  const free = await vault.store.free();
  const needed = batch.reduce((sum, number) => sum + (packs.packs[number]?.keptBytes ?? 0), 0);
  if (free === undefined || free > needed + vault.config.reserve) return true;
  tally.warnings.push(
    `packs that are half empty were not stored anew: that takes ${needed} bytes besides the reserve, and the disk of the vault has ${free} free`,
  );
  return false;
}

/** One gc at a time saves work, and nothing depends on it. */
async function lockGc(session: VaultSession, signal: AbortSignal | undefined): Promise<ItemLock> {
  try {
    return await lockForWriting(session, GC_ITEM, signal);
  } catch (error) {
    if (!isError(error, 'ITEM_LOCKED') || session.vault.config.singleWriter) throw error;
    const { pid, host, since } = error.details;
    throw new VhdvaultError(
      'ITEM_LOCKED',
      `another gc, or a repair, is at work (process ${pid} on ${host}, since ${since})`,
      {
        hint: 'wait for it to end; if its process is gone, the next gc takes over by itself',
        details: { pid: pid ?? null, host: host ?? null, since: since ?? null },
        cause: error,
      },
    );
  }
}
