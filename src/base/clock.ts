import { setTimeout as delay } from 'node:timers/promises';
import { throwIfAborted } from './abort.ts';

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
