import { setTimeout as delay } from 'node:timers/promises';

/** How fast all threads of a run may read together. Plain data over shared memory. */
export interface RateLimit {
  bytesPerSecond: number;
  /** One word: when the next read may begin, in nanoseconds of the clock that all threads of a process share. */
  next: BigInt64Array;
}

/** Nanoseconds of the limit that may be made up for: timers wake late, and work between two reads takes its time. */
const CREDIT = 100_000_000n;
/** Milliseconds between two looks at whether the run is to end. */
const LOOK = 200;

/** Null: as fast as it goes. */
export function createRateLimit(bytesPerSecond: number | undefined): RateLimit | null {
  if (bytesPerSecond === undefined) return null;
  return { bytesPerSecond, next: new BigInt64Array(new SharedArrayBuffer(8)) };
}

/** Waits until so many bytes may be read. `stopIfAsked` throws when the run is to end. */
export async function waitForTurn(limit: RateLimit | null, bytes: number, stopIfAsked: () => void): Promise<void> {
  if (!limit) return;
  for (const start = reserve(limit, bytes); ; ) {
    const wait = Number(start - process.hrtime.bigint()) / 1e6;
    if (wait <= 0) return;
    await delay(Math.min(wait, LOOK));
    stopIfAsked();
  }
}

/** The moment at which this read may begin; the next one may when it would be over at this rate. */
function reserve({ bytesPerSecond, next }: RateLimit, bytes: number): bigint {
  const cost = BigInt(Math.ceil((bytes / bytesPerSecond) * 1e9));
  for (;;) {
    const known = Atomics.load(next, 0);
    const earliest = process.hrtime.bigint() - CREDIT;
    const start = known > earliest ? known : earliest;
    if (Atomics.compareExchange(next, 0, known, start + cost) === known) return start;
  }
}
