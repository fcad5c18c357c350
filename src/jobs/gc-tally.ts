import type { DeadJob } from '../prune/abandon.ts';
import type { SweepPlan } from '../prune/sweep.ts';
import type { GcResult } from './gc-types.ts';

/** What was done so far, or would be. */
export type Tally = Omit<GcResult, 'dryRun' | 'seconds'>;

export function newTally(): Tally {
  return {
    condemned: { points: 0, packs: 0, bytes: 0 },
    abandoned: [],
    repacked: { packs: 0, into: 0, bytes: 0 },
    merged: { segments: 0, into: 0 },
    swept: { packs: 0, segments: 0, bytes: 0 },
    freedBytes: 0,
    freedLater: [],
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

export function countSwept(tally: Tally, kind: 'packs' | 'segments', bytes: number): void {
  tally.swept[kind]++;
  tally.swept.bytes += bytes;
  tally.freedBytes += bytes;
}

export function countAbandoned({ abandoned }: Tally, { item, opened }: DeadJob): void {
  abandoned.push({ item: item ?? null, opened: iso(opened) });
}

const MINUTE = 60_000;

/** Times in milliseconds since 1970 UTC; rounded up to minutes, since what one gc gives up at several moments is told together. */
export function setLater(tally: Tally, later: SweepPlan['later']): void {
  const byTime = new Map<number, number>();
  for (const { bytes, at: exact } of later) {
    const at = Math.ceil(exact / MINUTE) * MINUTE;
    if (bytes > 0) byTime.set(at, (byTime.get(at) ?? 0) + bytes);
  }
  tally.freedLater = [...byTime].sort(([a], [b]) => a - b).map(([at, bytes]) => ({ bytes, at: iso(at) }));
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
