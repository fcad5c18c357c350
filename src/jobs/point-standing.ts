import type { CatalogPoint } from '../point/catalog.ts';
import { SOFT_DELETE } from '../policy/soft-delete.ts';
import { FOR_EVER, isPinned, type LoggedPoint, leastAge, type Vault } from '../vault/vault.ts';
import type { PointSummary } from './point-types.ts';

/** What is known of a point besides what it holds: whether it may be forgotten, was, and how long it can be had. */
export type Standing = Pick<PointSummary, 'pinned' | 'protectedUntil' | 'forgotten' | 'expires'>;

/** `now` by the log's clock, in milliseconds since 1970 UTC. `softDelete`: of a gc that may come earlier than the usual one. */
export function standingOf(vault: Vault, point: CatalogPoint, now: number, softDelete: number = SOFT_DELETE): Standing {
  const { logged } = point;
  const { forgotten } = logged;
  const until = forgettableFrom(vault, point);
  return {
    pinned: pinnedText(logged, now),
    protectedUntil: !forgotten && now < until ? iso(until) : null,
    forgotten: forgotten ? (forgotten.time === null ? 'unknown' : iso(forgotten.time)) : null,
    expires: expiryOf(logged, now, Math.min(softDelete, SOFT_DELETE)),
  };
}

/** From when on it may be forgotten, by the log's clock, in milliseconds since 1970 UTC. */
export function forgettableFrom({ state }: Vault, { logged }: CatalogPoint): number {
  const least = leastAge(state, logged);
  // By a doubted clock it may have been made years from now.
  return least > 0 ? logged.time + least : 0;
}

/** From when on gc may give up a forgotten point; null: never, or nobody knows yet. */
function expiryOf(logged: LoggedPoint, now: number, softDelete: number): string | null {
  const since = logged.forgotten?.time ?? null;
  if (since === null || (isPinned(logged, now) && logged.pinned === FOR_EVER)) return null;
  return iso(Math.max(since + softDelete, logged.pinned ?? 0));
}

/** null: not pinned, or not any more. */
export function pinnedText(logged: LoggedPoint, now: number): PointSummary['pinned'] {
  if (!isPinned(logged, now)) return null;
  return logged.pinned === FOR_EVER ? 'forever' : iso(logged.pinned as number);
}

/** ISO 8601 UTC. */
export function iso(time: number): string {
  return new Date(time).toISOString();
}
