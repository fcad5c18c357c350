import { type Task, workerFile } from '../pool/pool.ts';
import { type CopyInput, copy } from './copy.ts';

export const copyTask: Task<CopyInput, void> = { file: workerFile('copy', import.meta.url), run: copy };
