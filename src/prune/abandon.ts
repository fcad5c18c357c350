import { isName } from '../base/names.ts';
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
  /** Milliseconds since 1970 UTC, by the clock of its machine. */
  started: number | undefined;
}

/** Repair holds the lock of gc, too. */
const OF_GC: readonly number[] = [VERBS.repack, VERBS['index-merge'], VERBS.rebuild];
/** Time for a command that locks nothing. */
export const UNLOCKED_GRACE: number = DAY;
/** Of a job whose staging location is nowhere to be seen, elsewhere perhaps, nobody knows whose lock to look at. */
const UNKNOWN_GRACE = 7 * UNLOCKED_GRACE;

/** Whether a live process has the lock of an item. */
export type IsAlive = (item: string) => Promise<boolean>;

/** Other commands than backup and gc lock nothing: of their jobs no lock tells whether they are dead. */
export function isLocked(item: string): boolean {
  return item === GC_ITEM || isName(item);
}

/**
 * Open jobs that look dead: of backups those that were opened long ago and whose item nobody has locked. What they stored is lost
 * with them, so one that the next run could resume is kept for a while. A gc resumes nothing; of another one that is at work, this
 * one has the lock. A wrong guess costs that it stores its blocks again.
 */
export async function findDeadJobs(options: {
  vault: Vault;
  locations: readonly FoundLocation[];
  /** Milliseconds since 1970 UTC, by the log's clock. */
  now: number;
  grace: number;
  isAlive: IsAlive;
}): Promise<DeadJob[]> {
  const { vault, locations, now, grace, isAlive } = options;
  const dead: DeadJob[] = [];
  for (const [job, { time, verb }] of [...vault.state.opened]) {
    const item = locations.find((location) => location.job === job)?.item;
    const one: DeadJob = { job, item, opened: time };
    const isOfGc = item === GC_ITEM || (item === undefined && OF_GC.includes(verb));
    const least = graceOf(item, grace);
    const isOld = least === 0 || now - time >= least;
    const isAtWork = async (): Promise<boolean> => item !== undefined && isLocked(item) && (await isAlive(item));
    if (isOfGc || (isOld && !(await isAtWork()))) dead.push(one);
  }
  return dead;
}

/** How long ago a job must have been opened, in milliseconds; what locks nothing, or nobody knows, has more time. */
function graceOf(item: string | undefined, grace: number): number {
  if (item === undefined) return grace === 0 ? 0 : Math.max(grace, UNKNOWN_GRACE);
  return isLocked(item) ? grace : Math.max(grace, UNLOCKED_GRACE);
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
