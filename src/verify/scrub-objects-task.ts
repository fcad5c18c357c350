import type { Task } from '../pool/pool.ts';
import { type ScrubObjectsInput, type ScrubShare, scrubObjects } from './scrub-objects.ts';

/** The comparing of names with bytes as a task for the pool. */
export const scrubObjectsTask: Task<ScrubObjectsInput, ScrubShare> = {
  worker: 'scrub-objects',
  run: scrubObjects,
};
