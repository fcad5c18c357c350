import { getCompileCacheDir } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { Piscina } from 'piscina';
import { type Answer, unwrap } from './answer.ts';
import type { Pool, Worker } from './pool.ts';

/** Blocks live outside V8's heap and die young: a small young generation is enough, and lets go of them early. */
const YOUNG_MIB = 3;

/**
 * A pool of worker threads. A cancelled run ends by itself: tasks watch a flag in shared memory and close what they
 * opened, so the signal does not kill threads in the middle of a write.
 */
export function openThreadPool(threads: number = availableParallelism()): Pool {
  let piscina: Promise<Piscina> | undefined;
  const started = (worker: Worker): Promise<Piscina> => {
    piscina ??= startThreads(threads, worker);
    return piscina;
  };
  return {
    threads,
    prepare(worker) {
      // What is wrong shows when it is run.
      started(worker).catch(() => undefined);
    },
    async run(task, input) {
      const running = (await started(task.worker)).run(input, { filename: workerFile(task.worker) });
      return unwrap((await running) as Answer<Awaited<ReturnType<typeof task.run>>>);
    },
    async [Symbol.asyncDispose]() {
      await (await piscina?.catch(() => undefined))?.destroy();
    },
  };
}

/** Piscina is loaded when first needed: `points` needs no threads. Each one loads the file of `worker` at once. */
async function startThreads(threads: number, worker: Worker): Promise<Piscina> {
  const { Piscina } = await import('piscina');
  const compiled = getCompileCacheDir();
  return new Piscina({
    ...{ minThreads: threads, maxThreads: threads, idleTimeout: 60_000, atomics: 'disabled' },
    filename: workerFile(worker),
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    // Threads do not take it over by themselves.
    ...(compiled !== undefined && { env: { ...process.env, NODE_COMPILE_CACHE: dirname(compiled) } }),
  });
}

/** With the ending that this very code runs under: tsc does not rewrite URLs. */
function workerFile(worker: Worker): string {
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`../../workers/${worker}.${ending}`, import.meta.url).href;
}
