import { setTimeout as delay } from 'node:timers/promises';

/** Time, injectable. `now` is wall-clock milliseconds since 1970 UTC; `monotonic` only ever grows. */
export interface Clock {
  now(): number;
  monotonic(): number;
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, signal ? { signal } : {}),
};
