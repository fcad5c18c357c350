import { VhdvaultError } from '../base/errors.ts';

/** What all workers of one run share: the number to take next, and a word that stops them. Plain data in shared memory. */
export type CommonQueue = Int32Array;

const NEXT = 0;
const STOP = 1;

export function createQueue(): CommonQueue {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Each number once, from 0 on; whoever gets one beyond the end is done. @throws CANCELLED when the run is to end */
export function takeNext(queue: CommonQueue): number {
  stopIfAsked(queue);
  return Atomics.add(queue, NEXT, 1);
}

/** @throws CANCELLED when the run is to end */
export function stopIfAsked(queue: CommonQueue): void {
  if (Atomics.load(queue, STOP) !== 0) throw new VhdvaultError('CANCELLED', 'cancelled');
}

export function stopAll(queue: CommonQueue): void {
  Atomics.store(queue, STOP, 1);
}

/** Does one worker's share; if it fails, the others are stopped at once. */
export async function shareOf<T>(queue: CommonQueue, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    stopAll(queue);
    throw error;
  }
}
