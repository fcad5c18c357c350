import { answering, unwrap } from './answer.ts';
import type { Pool } from './pool.ts';

/** Runs the same functions in this thread, one turn of the event loop at a time: for tests and simulation. */
export function openInThreadPool(threads = 2): Pool {
  return {
    threads,
    prepare: () => undefined,
    run: async (task, input) => unwrap(await answering(task.run)(structuredClone(input))),
    [Symbol.asyncDispose]: async () => undefined,
  };
}
