import { throwIfAborted } from '../base/abort.ts';
import { allOrFirstCause } from './all-or-first-cause.ts';
import { type CommonQueue, stopAll } from './common-queue.ts';
import type { Pool, Task } from './pool.ts';

/**
 * Runs one task per thread over a common queue, and waits for all. A signal, or the first failure, stops them; the cause
 * is thrown.
 */
export async function runOnAll<Input extends { worker: number }, Output>(options: {
  pool: Pool;
  task: Task<Input, Output>;
  input: Omit<Input, 'worker'>;
  queue: CommonQueue;
  signal?: AbortSignal | undefined;
  /** Called about ten times a second. */
  onTick: () => void;
  /** What this thread does meanwhile; if it fails, so does the run. */
  beside?: (runs: readonly Promise<Output>[]) => Promise<void>;
}): Promise<Output[]> {
  const { pool, task, input, queue, signal, onTick, beside } = options;
  throwIfAborted(signal);
  const stop = () => stopAll(queue);
  signal?.addEventListener('abort', stop, { once: true });
  const ticking = setInterval(onTick, 100);
  try {
    const inputs = Array.from({ length: pool.threads }, (_, worker) => ({ ...input, worker }) as Input);
    const runs = inputs.map((one) => pool.run(task, one));
    const results = await allOrFirstCause<(Output | undefined)[]>(
      [...runs, Promise.resolve(beside?.(runs)).then(() => undefined)],
      stop,
    );
    throwIfAborted(signal);
    return results.slice(0, runs.length) as Output[];
  } finally {
    clearInterval(ticking);
    signal?.removeEventListener('abort', stop);
  }
}
