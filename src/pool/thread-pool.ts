import { availableParallelism } from 'node:os';
import type { Piscina } from 'piscina';
import { type Answer, unwrap } from './answer.ts';
import type { Pool } from './pool.ts';

/** Blocks live outside V8's heap and die young: a small young generation is enough, and lets go of them early. */
const YOUNG_MIB = 3;

/**
 * A pool of worker threads. A cancelled run ends by itself: tasks watch a flag in shared memory and close what they
 * opened, so the signal does not kill threads in the middle of a write.
 */
export function openThreadPool(threads: number = availableParallelism()): Pool {
  let piscina: Piscina | undefined;
  return {
    threads,
    async run(task, input) {
      // Loaded when first needed: `points` needs no threads.
      const library = await import('piscina');
      piscina ??= new library.Piscina({
        ...{ minThreads: threads, maxThreads: threads, idleTimeout: 60_000, atomics: 'disabled' },
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
      });
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
