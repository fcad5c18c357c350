import { isError, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { createStaging, removeStaging } from '../staging/staging-location.ts';
import { segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import type { Adds, Vault, VaultState } from '../vault/vault.ts';

/** Stands for an item in locks and journals; no item can be named so. */
export const GC_ITEM = '(gc)';

/** How often work is done again because somebody closed its job; each time that one had to be very sure. */
const MOST_JOBS = 3;

/** A job that a gc stores under: it is open in the log, and has a staging location. */
export interface OwnJob {
  /** Hex. */
  job: string;
  folder: string;
  /** Names of what lies in packs/ and index/ by now. */
  packs: string[];
  segments: string[];
}

/**
 * Does work under a job of its own, and again if somebody closes that: none of what it stored may be used then. What was stored and
 * not added is removed.
 * @throws JOB_CLOSED, NO_SPACE, IO, VAULT_DAMAGED, OUTCOME_UNKNOWN, and what `work` throws
 */
export async function underOwnJob<T>(
  vault: Vault,
  verb: 'repack' | 'index-merge',
  work: (own: OwnJob) => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    const job = toHex(vault.random.bytes(16));
    const staging = await createStaging(vault, job, { item: GC_ITEM, started: vault.clock.now() });
    const own: OwnJob = { job, folder: staging.folder, packs: [], segments: [] };
    let outcome: 'known' | 'unknown' = 'known';
    try {
      await vault.openJob(job, staging.folder, verb);
      return await work(own);
    } catch (error) {
      if (isError(error, 'OUTCOME_UNKNOWN')) outcome = 'unknown';
      // Its staging location may be gone, too, and the error be of that.
      else await vault.refresh().catch(() => undefined);
      const isLost = vault.state.jobs.get(job) === 'closed' || (await wasRemoved(vault, staging.folder, error));
      if (!isError(error) || isError(error, 'CANCELLED', 'OUTCOME_UNKNOWN') || !isLost || tries === MOST_JOBS)
        throw error;
    } finally {
      // What stays is found by the next gc.
      if (outcome === 'known') await endJob(vault, own).catch(() => undefined);
      await removeStaging(staging).catch(() => undefined);
    }
  }
}

/** Stopped for a while before its job was open, the run was taken for dead by another gc. */
async function wasRemoved({ store }: Vault, folder: string, error: unknown): Promise<boolean> {
  return isError(error, 'NOT_FOUND') && (await store.size(`${folder}/journal`).catch(() => 0)) === undefined;
}

/**
 * A job that added nothing is closed, so that nothing of it can be added any more; then what it stored can go. Of one that is closed
 * already nobody knows: what it added may lie in somebody's merged segment by now. What it did not add the next gc finds.
 */
async function endJob(vault: Vault, { job, packs, segments }: OwnJob): Promise<void> {
  const closing = await vault.commit(({ jobs }) => (jobs.get(job) === 'open' ? { type: 'abandon', job } : null));
  if (!closing) return;
  for (const path of [...packs.map(packPath), ...segments.map(segmentPath)]) await vault.store.remove(path);
}

/** @throws JOB_CLOSED; IO where a pack is not there any more (J4c) */
export async function checkOwnJob(
  { store }: Vault,
  { jobs }: VaultState,
  { job }: OwnJob,
  packs: readonly { name: string; size: number }[],
): Promise<void> {
  if (jobs.get(job) !== 'open') {
    throw new VhdvaultError('JOB_CLOSED', `job ${job} of this gc was closed by another run`, {
      hint: 'run `vhdvault gc` again when no other is at work; nothing is lost',
      details: { job },
    });
  }
  for (const { name, size } of packs) await checkSize(store, packPath(name), size);
}

/** Gives a finished segment its name and makes all names durable: after this it may be added. */
export async function publishSegment(
  { store }: Vault,
  own: OwnJob,
  { path, name, size, packs }: { path: string; name: string; size: number; packs: readonly { size: number }[] },
): Promise<Adds> {
  await store.rename(path, segmentPath(name));
  own.segments.push(name);
  await checkSize(store, segmentPath(name), size);
  const folders = new Set(own.packs.map((pack) => packPath(pack).slice(0, 'packs/xx'.length)));
  for (const touched of [...folders, 'index']) await store.syncFolder(touched);
  return { segment: name, size, packs: packs.length, bytes: packs.reduce((sum, pack) => sum + pack.size, 0) };
}

async function checkSize(store: Vault['store'], path: string, size: number): Promise<void> {
  const found = await store.size(path);
  if (found === size) return;
  throw new VhdvaultError('IO', `${path} has ${found ?? 'no'} bytes, expected ${size}: it was not added`, {
    hint: 'check the disk of the vault, then run `vhdvault gc` again',
    details: { path, expected: size, found: found ?? null },
  });
}
