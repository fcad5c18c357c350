import { type Task, workerFile } from '../pool/pool.ts';
import { type CopyInput, copy } from './copy.ts';
import type { Lost } from './lost.ts';

export const copyTask: Task<CopyInput, Lost> = { file: workerFile('copy', import.meta.url), run: copy };
