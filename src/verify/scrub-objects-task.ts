import { type Task, workerFile } from '../pool/pool.ts';
import { type ScrubObjectsInput, type ScrubShare, scrubObjects } from './scrub-objects.ts';

/** The comparing of names with bytes as a task for the pool. */
export const scrubObjectsTask: Task<ScrubObjectsInput, ScrubShare> = {
  file: workerFile('scrub-objects', import.meta.url),
  run: scrubObjects,
};
