import { VhdvaultError } from '../base/errors.ts';
import type { VaultSession } from './session.ts';
import type { ClockTrust } from './types.ts';

/**
 * By a wrong clock points are older than they are, and may be given up too early (L7). Whoever goes on marks the entries.
 * @throws CLOCK_DOUBTED
 */
export function checkClock(session: VaultSession, { acceptClock = false }: ClockTrust): void {
  const { clockDoubt } = session;
  if (clockDoubt === undefined || acceptClock) return;
  throw new VhdvaultError('CLOCK_DOUBTED', `${clockDoubt}: nothing is decided by the age of points`, {
    hint: 'set the clock if it is wrong; if it is right, go on with --accept-clock',
  });
}

/** What a backup says, which goes on: the time of its point may be wrong. */
export function clockWarning({ clockDoubt }: VaultSession, { acceptClock = false }: ClockTrust): string[] {
  if (clockDoubt === undefined || acceptClock) return [];
  return [`${clockDoubt}: set it if it is wrong; if it is right, say so once with --accept-clock`];
}

/**
 * Milliseconds since 1970 UTC by which a gc counts ages. A clock that is right by its owner's word, though the log is ahead of it,
 * makes nothing older: what was forgotten an hour ago by the one was years ago by the other.
 */
export function ageTime(session: VaultSession): number {
  const { vault, clockDoubt } = session;
  return clockDoubt === undefined ? logTime(session) : Math.min(vault.clock.now(), vault.state.time);
}

/** No point is later, but by a doubted clock that nobody has called right: milliseconds since 1970 UTC. */
export function acceptedTime(session: VaultSession, { acceptClock = false }: ClockTrust): number {
  const { vault } = session;
  return acceptClock ? Math.max(vault.clock.now(), vault.state.time) : logTime(session);
}

/** What every replay will judge an entry by that is written now: milliseconds since 1970 UTC, by the log's clock. */
export function logTime(session: VaultSession): number {
  const { vault, clockDoubt } = session;
  const { time } = vault.state;
  return clockDoubt === undefined ? Math.max(vault.clock.now(), time) : time;
}
