import type { Task } from '../pool/pool.ts';
import type { FinishedPack } from '../vault/block-writer.ts';
import { scan } from './scan.ts';
import type { ScanInput, ScanTools } from './scan-input.ts';

/** The scan as a task for the pool. */
export function scanTask(tools: ScanTools): Task<ScanInput, FinishedPack | null> {
  return { worker: 'scan', run: (input) => scan(input, tools) };
}
