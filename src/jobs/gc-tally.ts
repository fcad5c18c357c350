import type { DeadJob, OpenJob } from '../prune/abandon.ts';
import type { SweepPlan } from '../prune/sweep.ts';
import type { GcResult } from './gc-types.ts';

const MINUTE = 60_000;

/** What was done so far, or would be. */
export type Tally = Omit<GcResult, 'dryRun' | 'seconds' | 'softDelete' | 'grace'>;

export function newTally(): Tally {
  return {
    condemned: { points: 0, packs: 0, bytes: 0 },
    abandoned: [],
    repacked: { packs: 0, into: 0, bytes: 0 },
    merged: { segments: 0, into: 0 },
    swept: { packs: 0, segments: 0, leftovers: 0, bytes: 0 },
    freedBytes: 0,
    freedLater: [],
    forgottenLater: [],
    unfinished: [],
    warnings: [],
    notices: [],
  };
}

/** Adds counts of one kind to those so far. */
export function count<Kind extends keyof Tally & ('condemned' | 'repacked' | 'merged')>(
  tally: Tally,
  kind: Kind,
  more: Tally[Kind],
): void {
  const counts = tally[kind] as Record<string, number>;
  for (const [name, n] of Object.entries(more)) counts[name] = (counts[name] ?? 0) + n;
}

export function countSwept(tally: Tally, kind: 'packs' | 'segments' | 'leftovers', bytes: number): void {
  tally.swept[kind]++;
  tally.swept.bytes += bytes;
  tally.freedBytes += bytes;
}

export function countAbandoned({ abandoned }: Tally, { item, opened }: DeadJob): void {
  abandoned.push({ item: item ?? null, opened: iso(opened) });
}

export function addUnfinished({ unfinished }: Tally, { item, opened, from }: OpenJob, bytes: number | null): void {
  unfinished.push({ item: item ?? null, opened: iso(opened), bytes, at: iso(upToMinute(from)) });
}

/** Times in milliseconds since 1970 UTC. */
export function setLater(tally: Tally, later: SweepPlan['later']): void {
  const byTime = sumByTime(later.map(({ bytes, at }) => [at, bytes]));
  tally.freedLater = byTime.map(([at, bytes]) => ({ bytes, at: iso(at) }));
}

export function setForgottenLater(tally: Tally, later: readonly { points: number; at: number }[]): void {
  const byTime = sumByTime(later.map(({ points, at }) => [at, points]));
  tally.forgottenLater = byTime.map(([at, points]) => ({ points, at: iso(at) }));
}

/** The soonest first; rounded up to minutes, since what one run gives up at several moments is told together. */
function sumByTime(counts: readonly (readonly [at: number, count: number])[]): [at: number, count: number][] {
  const sums = new Map<number, number>();
  for (const [exact, count] of counts) {
    const at = upToMinute(exact);
    if (count > 0) sums.set(at, (sums.get(at) ?? 0) + count);
  }
  return [...sums].sort(([a], [b]) => a - b);
}

function upToMinute(time: number): number {
  return Math.ceil(time / MINUTE) * MINUTE;
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
