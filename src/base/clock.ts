import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from './abort.ts';
import { sinceBoot } from './machine.ts';
import { HOUR } from './units.ts';

/** Time, injectable. `now` is wall-clock milliseconds since 1970 UTC; `monotonic` only ever grows. */
export interface Clock {
  now(): number;
  monotonic(): number;
  /** @throws CANCELLED when the signal fires */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await delay(milliseconds, undefined, signal ? { signal } : {}).catch(() => undefined);
    throwIfAborted(signal);
  },
};

/** The same for one run: a wall clock that is set meanwhile, by more than an hour, is told as if it were not. */
export function steadyClock(clock: Clock): Clock {
  const [wall, began] = [clock.now(), sinceBoot()];
  return {
    now() {
      const [told, passed] = [clock.now(), wall + sinceBoot() - began];
      return Math.abs(told - passed) > HOUR ? Math.round(passed) : told;
    },
    monotonic: () => clock.monotonic(),
    sleep: (milliseconds, signal) => clock.sleep(milliseconds, signal),
  };
}
