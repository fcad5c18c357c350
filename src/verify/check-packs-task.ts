import { type Task, workerFile } from '../pool/pool.ts';
import { type CheckPacksInput, checkPacks, type PackProblem } from './check-packs.ts';

/** The check of packs as a task for the pool. */
export const checkPacksTask: Task<CheckPacksInput, PackProblem[]> = {
  file: workerFile('check-packs', import.meta.url),
  run: checkPacks,
};
