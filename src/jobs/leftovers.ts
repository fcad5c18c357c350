import { isError } from '../base/errors.ts';
import { mergeBack } from '../merge/merge-back.ts';
import { pointsOf } from '../point/catalog.ts';
import {
  capturedPacks,
  findLeftovers,
  type Leftover,
  removeParts,
  removeStaging,
  type StagingLocation,
} from '../staging/staging-location.ts';
import { removeScratch, tableOf, unfinishedTables } from './scratch.ts';
import type { VaultSession } from './session.ts';
import { withStaging } from './with-staging.ts';

/** An interrupted run that this one goes on with: its job, and the packs that it stored. */
export interface Resumed extends Leftover {
  packs: string[];
}

/**
 * What interrupted runs of an item left behind, under the item's lock, which makes them dead (J5). A run whose point is
 * in the log is finished; of those whose job is open the one with the most packs is resumed; the others are closed in the
 * log and removed.
 */
export async function settleLeftovers(
  session: VaultSession,
  item: string,
  notice: (text: string) => void,
): Promise<Resumed | undefined> {
  const { vault } = session;
  const open: Resumed[] = [];
  for (const left of await findLeftovers(vault, item)) {
    if (await finishedBefore(session, item, left))
      notice(`the run of ${began(left)} had saved its point: it was finished`);
    else open.push({ ...left, packs: await packsToReuse(session, left) });
  }
  open.sort((a, b) => b.packs.length - a.packs.length);
  const [first] = open;
  const resumed = first && first.packs.length > 0 ? first : undefined;
  for (const left of open) {
    if (left === resumed) continue;
    await dropJob(session, item, left);
    notice(`what the interrupted run of ${began(left)} left behind was removed`);
  }
  if (resumed) {
    await removeParts(resumed);
    await removeScratch(session, { job: resumed.job });
  }
  return resumed;
}

/** Closes a job that will not be gone on with, and removes what it left. */
export async function dropJob(session: VaultSession, item: string, left: StagingLocation): Promise<void> {
  const { vault } = session;
  // Not by its own staging location, which may be elsewhere, or gone.
  if (vault.state.jobs.get(left.job) === 'open') {
    await withStaging(session, item, ({ job, folder }) => vault.abandonJob(job, folder, left.job));
  }
  // A run that was taken for dead may still be writing there: what it leaves goes another time.
  await removeStaging(left).catch((error: unknown) => {
    if (!isError(error, 'IO')) throw error;
  });
  await removeScratch(session, { job: left.job });
}

/** After a crash between the commit and merge-back: what remained to be done is done now. */
async function finishedBefore(session: VaultSession, item: string, left: Leftover): Promise<boolean> {
  const { vault, cache } = session;
  const points = pointsOf(vault, item);
  const made = points.find(({ logged }) => logged.job === left.job);
  if (!made) return false;
  if (made === points.at(-1)) {
    const tables = made.manifest.disks.map(async ({ name }) => {
      const to = tableOf(session, item, name);
      return (await unfinishedTables(session, to, left.job)).map((from) => ({ from, to }));
    });
    await mergeBack(vault, cache, (await Promise.all(tables)).flat());
  }
  await removeStaging(left);
  await removeScratch(session, { job: left.job });
  return true;
}

/** Only of a job that is open still, and whose staging location is where this run has its own. */
async function packsToReuse({ vault }: VaultSession, left: Leftover): Promise<string[]> {
  if (vault.state.jobs.get(left.job) !== 'open' || !left.isHere) return [];
  return await capturedPacks(left);
}

function began({ record }: Leftover): string {
  return new Date(record.started).toISOString();
}
