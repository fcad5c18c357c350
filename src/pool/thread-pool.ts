import { availableParallelism } from 'node:os';
import { Piscina } from 'piscina';
import { type Answer, unwrap } from './answer.ts';
import type { Pool } from './pool.ts';

/**
 * A pool of worker threads. A cancelled run ends by itself: tasks watch a flag in shared memory and close what they
 * opened, so the signal does not kill threads in the middle of a write.
 */
export function openThreadPool(threads: number = availableParallelism()): Pool {
  let piscina: Piscina | undefined;
  return {
    threads,
    async run(task, input) {
      piscina ??= new Piscina({ minThreads: threads, maxThreads: threads, idleTimeout: 60_000, atomics: 'disabled' });
      const answer = (await piscina.run(input, { filename: task.file.href })) as Answer<
        Awaited<ReturnType<typeof task.run>>
      >;
      return unwrap(answer);
    },
    async [Symbol.asyncDispose]() {
      await piscina?.destroy();
    },
  };
}
