import type { Content } from './disks.ts';
import { overlap, type SimProcess } from './process.ts';
import type { World } from './world.ts';

/** A point that a run said it saved, what its disks may have held then, and what was done to it since. */
export interface SavedPoint {
  /** `ITEM@pID` */
  ref: string;
  item: string;
  disks: { name: string; held: readonly Content[] }[];
  /** Runs that were to forget it, by name or by rules. */
  namedBy: SimProcess[];
  /** Of these, those of which nobody knows what they did. */
  doubts: Set<SimProcess>;
  forgotten: boolean;
  /** A run said that it is pinned for ever, and none was to unpin it. */
  isPinned: boolean;
}

/** It must be there, and must read as it was. */
export function isKept({ forgotten, doubts }: SavedPoint): boolean {
  return !forgotten && doubts.size === 0;
}

export function save(world: World, ref: string, item: string, disks: SavedPoint['disks']): void {
  const point: SavedPoint = { ref, item, disks, namedBy: [], doubts: new Set(), forgotten: false, isPinned: false };
  // A run that forgets by rules may have seen it before we hear of it.
  for (const by of world.forgetting) if (by.targets === item || by.targets === 'all') doubt([point], by.process);
  if (world.forgottenBefore.has(ref)) point.forgotten = true;
  world.saved.push(point);
}

/** Two machines differ by no more, unless a clock jumped. */
const SKEW = 4 * 3_600_000;

/** Some gc may have given it up: it was forgotten so long ago as that one was told. */
export function mayBeGivenUp(world: World, { namedBy }: SavedPoint): boolean {
  if (world.counts.has('clock jump')) return true;
  const first = Math.min(...namedBy.map(({ beganTime }) => beganTime));
  return world.processes.some(
    ({ softDelete, endedTime }) => softDelete !== undefined && endedTime - first + SKEW >= softDelete,
  );
}

/** A run is about to forget these. */
export function doubt(points: readonly SavedPoint[], process: SimProcess): void {
  for (const point of points) {
    point.namedBy.push(process);
    point.doubts.add(process);
  }
}

/** It ended well, or said that it did nothing; `forgotten`: references. */
export function settle(world: World, process: SimProcess, forgotten: readonly string[]): void {
  for (const ref of forgotten) world.forgottenBefore.add(ref);
  for (const point of world.saved) {
    point.doubts.delete(process);
    if (forgotten.includes(point.ref)) point.forgotten = true;
  }
}

/** A run said that these are live again. What another one did at the same time, nobody knows. */
export function broughtBack(world: World, process: SimProcess, refs: readonly string[]): void {
  for (const ref of refs) {
    const point = world.saved.find((saved) => saved.ref === ref);
    if (!point || point.namedBy.some((other) => overlap(other, process))) continue;
    point.forgotten = false;
    point.doubts.clear();
    world.forgottenBefore.delete(ref);
  }
}
