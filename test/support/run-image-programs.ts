import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { imagePrograms } from './image-program.ts';
import { runProgram } from './image-world.ts';

/*
 * `node run-image-programs.ts FOLDER RUNS`, and tells how many were run. It is a process of its own because most of the time
 * of a program goes by handing its file work to threads: to one of them (UV_THREADPOOL_SIZE) that costs least.
 */

/** While one waits for that thread, others go on. */
const AT_ONCE = 8;
const [folder, runs] = [process.argv[2]!, Number(process.argv[3])];
let count = 0;

async function run(): Promise<void> {
  await fc.assert(
    fc.asyncProperty(imagePrograms(), async (program) => {
      const own = join(folder, `program-${count++}`);
      await mkdir(own);
      await runProgram(own, program);
      await rm(own, { recursive: true });
    }),
    { numRuns: runs / AT_ONCE },
  );
}

await Promise.all(Array.from({ length: AT_ONCE }, run));
process.stdout.write(`${count} programs\n`);
