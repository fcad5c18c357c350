import { mkdir, rm } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, it } from 'vitest';
import { imagePrograms } from '../support/image-program.ts';
import { runProgram } from '../support/image-world.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const RUNS = process.env.VHDVAULT_LONG === '1' ? 40_000 : 2_000;
/** Most of the time of a program is waiting for the threads that do its file work, so some run at once. */
const AT_ONCE = 8;

describe('any program of writes, snapshots, resizes, merges, conversions and repairs', () => {
  it('leaves images that read as plain arrays of bytes, where nothing is to be found, and nothing beside them', async () => {
    const run = (): Promise<void> =>
      fc.assert(
        fc.asyncProperty(imagePrograms(), async (program) => {
          const own = folder.fresh('program');
          await mkdir(own);
          await runProgram(own, program);
          await rm(own, { recursive: true });
        }),
        { numRuns: RUNS / AT_ONCE },
      );
    await Promise.all(Array.from({ length: AT_ONCE }, run));
  }, 3_600_000);
});
