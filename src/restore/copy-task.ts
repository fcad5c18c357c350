import type { Task } from '../pool/pool.ts';
import { type CopyInput, copy } from './copy.ts';
import type { Lost } from './lost.ts';

export const copyTask: Task<CopyInput, Lost> = { worker: 'copy', run: copy };
