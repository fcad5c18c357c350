import type { LoggedPoint, VaultState } from './state.ts';

/** Pinned for ever. */
export const FOR_EVER: number = Number.MAX_SAFE_INTEGER;

/** Counts for rule J4, for listings and keep rules: soft-deleted points do not. */
export function isLive({ points }: VaultState, point: string): boolean {
  const found = points.get(point);
  return found !== undefined && !found.forgotten;
}

/** `now` in milliseconds, by the log's clock. */
export function isPinned({ pinned }: LoggedPoint, now: number): boolean {
  return pinned !== undefined && (pinned === FOR_EVER || now < pinned);
}

/**
 * How old a point must be before it may be forgotten, in milliseconds (D1): a minimum that was set later holds for older
 * points too, and one that was in force when the point was made is a promise that a later, smaller one does not take back.
 */
export function leastAge({ protects }: VaultState, { sequence }: LoggedPoint): number {
  const inForce = protects.findLast((protect) => protect.sequence < sequence);
  const later = protects.filter((protect) => protect.sequence > sequence);
  return [...(inForce ? [inForce] : []), ...later].reduce((most, { retention }) => Math.max(most, retention), 0);
}

/**
 * Whether gc must keep what the point needs (D2): it is live, pinned, or was forgotten less than `softDelete` ago.
 * `now` by the log's clock, in milliseconds.
 */
export function isSpared(point: LoggedPoint, now: number, softDelete: number): boolean {
  const { forgotten } = point;
  if (!forgotten || isPinned(point, now)) return true;
  return forgotten.time === null ? softDelete > 0 : Math.max(0, now - forgotten.time) < softDelete;
}
