import { isError, VhdvaultError } from '../base/errors.ts';
import { DAY } from '../base/units.ts';
import { SOFT_DELETE } from '../policy/soft-delete.ts';
import { findUnfinishedJobs } from '../prune/abandon.ts';
import { findStaging, type Leftover, locationSize, planLeftovers } from '../prune/leftovers.ts';
import { type Marks, mark, type Sparing } from '../prune/mark.ts';
import type { Orphans } from '../prune/orphans.ts';
import { GC_ITEM } from '../prune/own-job.ts';
import { softDeleted } from '../prune/soft-deleted.ts';
import { ageTime } from './check-clock.ts';
import { addUnfinished, setForgottenLater, type Tally } from './gc-tally.ts';
import type { GcOptions } from './gc-types.ts';
import { type ItemLock, isItemLocked } from './item-lock.ts';
import type { VaultSession } from './session.ts';

/** What the steps of a gc share. */
export interface Collection {
  session: VaultSession;
  options: GcOptions;
  tally: Tally;
  sparing: Sparing;
  grace: number;
  /** Whether a live process has the lock of an item. */
  isAlive: (item: string) => Promise<boolean>;
}

/** For how long, in milliseconds, a gc leaves forgotten points and what was given up. */
export function spansOf({ softDelete = SOFT_DELETE, grace = DAY }: GcOptions): { softDelete: number; grace: number } {
  return { softDelete, grace };
}

/** Of a vault that was read again. `lock`: that of this gc, so no other one is at work; without it nobody knows. */
export function openCollection(session: VaultSession, options: GcOptions, tally: Tally, lock?: ItemLock): Collection {
  const { signal } = options;
  const { softDelete, grace } = spansOf(options);
  // Where a process cannot be looked for, an answer takes the better part of a minute.
  const known = new Map<string, Promise<boolean>>(lock ? [[GC_ITEM, Promise.resolve(false)]] : []);
  const isAlive = (item: string): Promise<boolean> => {
    const answer = known.get(item) ?? isItemLocked(session.vault, item, signal);
    known.set(item, answer);
    return answer;
  };
  return { session, options, tally, sparing: { now: ageTime(session), softDelete }, grace, isAlive };
}

/** Marks what the points need, and tells how far it is. @throws GC_BLOCKED, CANCELLED */
export async function markAll({ session, options, tally, sparing }: Collection): Promise<Marks> {
  const { signal, onProgress, idsPerPass } = options;
  const onBytes = (done: number, total: number): void => onProgress?.({ phase: 'checking', done, total, disks: [] });
  const marks = await mark({ ...sparing, vault: session.vault, idsPerPass, signal, ...(onProgress && { onBytes }) });
  tally.warnings.push(...marks.warnings);
  return marks;
}

/** What lies in staging/. */
export type Staging = Awaited<ReturnType<typeof findStaging>>;

/** Where staging/ cannot be listed, no run is dead and nothing a leftover. */
export async function stagingOf({ session: { vault }, tally }: Collection): Promise<Staging | undefined> {
  try {
    return await findStaging(vault);
  } catch (error) {
    if (!isError(error, 'IO', 'NO_PERMISSION')) throw error;
    tally.warnings.push(`what interrupted runs left was not looked for: ${error.message}`);
    return undefined;
  }
}

/** What in it nobody needs any more; where that cannot be found out, nothing. `closing`: jobs that count as closed, for a preview. */
export async function leftoversIn(
  { session, tally, isAlive }: Collection,
  staging: Staging | undefined,
  closing: readonly string[] = [],
): Promise<Leftover[]> {
  if (!staging) return [];
  try {
    return await planLeftovers(session.vault, staging, { isAlive, closing });
  } catch (error) {
    if (!isError(error, 'IO', 'NO_PERMISSION')) throw error;
    tally.warnings.push(`what interrupted runs left was not looked for: ${error.message}`);
    return [];
  }
}

/** Tells what is kept for a while, so that it can be brought back or gone on with: points, and interrupted runs. */
export async function tellKept(all: Collection, staging: Staging | undefined, { stored }: Orphans): Promise<void> {
  const { session, tally, sparing, grace, isAlive } = all;
  const { vault } = session;
  setForgottenLater(tally, softDeleted(vault, sparing));
  const locations = staging?.locations ?? [];
  for (const one of await findUnfinishedJobs({ vault, locations, now: sparing.now, grace, isAlive })) {
    const location = locations.find(({ job }) => job === one.job);
    // It may be gone by now: its run went on.
    const staged = location ? await locationSize(location).catch(() => 0) : 0;
    const bytes = stored && (stored.get(one.job) ?? 0) + staged;
    addUnfinished(tally, one, bytes ?? null);
  }
}

/** @throws USAGE */
export function checkSpans({ softDelete, grace }: GcOptions): void {
  for (const [name, span] of Object.entries({ softDelete, grace })) {
    if (span === undefined || (Number.isSafeInteger(span) && span >= 0)) continue;
    throw new VhdvaultError('USAGE', `${name} is no number of milliseconds: ${span}`, {
      hint: 'use a whole number from 0',
    });
  }
}
