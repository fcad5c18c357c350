import type { Task } from '../pool/pool.ts';
import { type CheckPacksInput, checkPacks } from './check-packs.ts';
import type { PackTrouble } from './pack-troubles.ts';

/** The check of packs as a task for the pool. */
export const checkPacksTask: Task<CheckPacksInput, PackTrouble[]> = {
  worker: 'check-packs',
  run: checkPacks,
};
