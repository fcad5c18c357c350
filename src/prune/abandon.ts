import { DAY } from '../base/units.ts';
import type { StagingLocation } from '../staging/staging-location.ts';
import { type Vault, VERBS } from '../vault/vault.ts';
import { GC_ITEM } from './own-job.ts';

/** A job that is open in the log and looks dead. */
export interface DeadJob {
  /** Hex. */
  job: string;
  /** What it was for, as far as its journal tells. */
  item: string | undefined;
  /** Milliseconds since 1970 UTC, by the log's clock. */
  opened: number;
}

/** A staging location, and what its journal tells; undefined where it cannot be read. */
export interface FoundLocation extends StagingLocation {
  hasJournal: boolean;
  item: string | undefined;
}

/** Repair holds the lock of gc, too. */
const OF_GC: readonly number[] = [VERBS.repack, VERBS['index-merge'], VERBS.rebuild];
/** Of a job whose staging location is nowhere to be seen, elsewhere perhaps, nobody knows whose lock to look at. */
const UNKNOWN_GRACE = 7 * DAY;

/** Whether a live process has the lock of an item. */
export type IsAlive = (item: string) => Promise<boolean>;

/** Who tells which jobs are dead. */
export interface JobJudge {
  vault: Vault;
  locations: readonly FoundLocation[];
  /** Milliseconds since 1970 UTC, by the log's clock. */
  now: number;
  grace: number;
  isAlive: IsAlive;
}

/** A job that is open in the log, and from when on it may be taken for dead, in milliseconds since 1970 UTC. */
export interface OpenJob extends DeadJob {
  from: number;
}

/**
 * Open jobs that look dead: of backups those that were opened long ago and whose item nobody has locked. What they stored is lost
 * with them, so one that the next run could resume is kept for a while. A gc resumes nothing; of another one that is at work, this
 * one has the lock. A wrong guess costs that it stores its blocks again.
 */
export async function findDeadJobs(judge: JobJudge): Promise<DeadJob[]> {
  const dead: DeadJob[] = [];
  for (const { isOfGc, from, ...one } of openJobs(judge))
    if (isOfGc || (from <= judge.now && !(await isAtWork(one, judge)))) dead.push(one);
  return dead;
}

/** Open jobs that nobody is at work on, and that their next run may go on with: a later gc takes them for dead. */
export async function findUnfinishedJobs(judge: JobJudge): Promise<OpenJob[]> {
  const unfinished: OpenJob[] = [];
  for (const { isOfGc, ...one } of openJobs(judge))
    if (!isOfGc && one.from > judge.now && !(await isAtWork(one, judge))) unfinished.push(one);
  return unfinished;
}

function openJobs({ vault, locations, grace }: JobJudge): (OpenJob & { isOfGc: boolean })[] {
  return [...vault.state.opened].map(([job, { time, verb }]) => {
    const item = locations.find((location) => location.job === job)?.item;
    const isOfGc = item === GC_ITEM || (item === undefined && OF_GC.includes(verb));
    const least = graceOf(item, grace);
    // By a doubted clock it may have been opened years from now.
    return { job, item, opened: time, isOfGc, from: least === 0 ? 0 : time + least };
  });
}

async function isAtWork({ item }: DeadJob, { isAlive }: JobJudge): Promise<boolean> {
  return item !== undefined && (await isAlive(item));
}

/** How long ago a job must have been opened, in milliseconds; of what nobody knows it has more time. */
function graceOf(item: string | undefined, grace: number): number {
  return item === undefined && grace > 0 ? Math.max(grace, UNKNOWN_GRACE) : grace;
}

/** Closes them, those that are open still. @throws VAULT_DAMAGED, NO_SPACE, OUTCOME_UNKNOWN */
export async function abandonJobs(
  vault: Vault,
  dead: readonly DeadJob[],
  onCommit: (job: DeadJob) => void,
): Promise<void> {
  for (const one of dead) {
    const { job } = one;
    const entry = await vault.commit(({ jobs }) =>
      jobs.get(job) === 'open' ? { type: 'abandon' as const, job } : null,
    );
    if (entry) onCommit(one);
  }
}
