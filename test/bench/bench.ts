/**
 * `npm run bench`: vhdvault beside restic, borg, qemu-img and plain programs, on disks of real files, and what came of each
 * aim; writes RESULTS.md beside this file. Asserts nothing.
 *
 * --runs N      rounds, default 5, after one warm-up
 * --quick       small disks and one round without a warm-up, only to see that it works: writes nothing
 * --only A,B    only these parts: prints the page, writes nothing
 *               first, again, incremental, restore, verify: on each disk; gc: forget half of ten points; four: four disks at
 *               once; start: processes with next to nothing to do; growth: huge sparse disks; memory: peaks of all of it and
 *               of a sparse disk of 2040 GiB; profile: where the time of each verb goes
 * --disks A,B   of the disks of the first five parts only dynamic (S), fixed (S) or large (L)
 *
 * Wants some 40 GiB under TMPDIR, memory for 16 GiB of page cache, and a machine that does nothing else.
 */
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DISK_NAMES } from './bench-disks.ts';
import { type Bench, openBench, type PartResult } from './bench-run.ts';
import { DISK_STEPS } from './disk-rounds.ts';
import { publish, resultsPage } from './page.ts';
import { fourPart } from './parts/four.ts';
import { gcPart } from './parts/gc.ts';
import { onOneDisk } from './parts/on-one-disk.ts';
import { profilePart } from './parts/profile.ts';
import { startPart } from './parts/start.ts';
import { growthPart, memoryPart } from './parts/vast.ts';

/** In this order: `memory` tells of what was measured before it. */
const OTHERS: Record<string, (bench: Bench) => Promise<PartResult>> = {
  gc: gcPart,
  four: fourPart,
  start: startPart,
  growth: growthPart,
  memory: memoryPart,
  profile: profilePart,
};

const { quick, runs, only, disks } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    runs: { type: 'string', default: '5' },
    only: { type: 'string' },
    disks: { type: 'string' },
  },
}).values;
const rounds = quick ? 1 : Number(runs);
if (!(Number.isSafeInteger(rounds) && rounds > 0)) throw new Error(`--runs ${runs} is no number of rounds`);
const parts = chosen('--only', only, [...DISK_STEPS, ...Object.keys(OTHERS)]);
const diskNames = chosen('--disks', disks, DISK_NAMES);

await using folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-bench-'));
console.log(`building, and making disks in ${folder.path} ...`);
const bench = await openBench(folder.path, { rounds, quick, diskNames });
for (const name of bench.missing) console.log(`${name} is not installed: left out`);

const results: PartResult[] = [];
const steps = DISK_STEPS.filter((step) => parts.includes(step));
if (steps.length > 0) await run(() => onOneDisk(bench, steps));
for (const [name, part] of Object.entries(OTHERS)) if (parts.includes(name)) await run(() => part(bench));

const words = process.argv.slice(2).join(' ');
const page = resultsPage(bench, `npm run bench${words && ` -- ${words}`}`, results);
console.log(`\n${page}`);
if (!quick && only === undefined && disks === undefined && !process.exitCode) await publish(page);

/** What an hour has measured is not lost with the part that fails: the page is printed without it, and not kept. */
async function run(part: () => Promise<PartResult>): Promise<void> {
  try {
    results.push(await part());
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
}

/** Some of the known names, all where none is given. */
function chosen<T extends string>(option: string, text: string | undefined, known: readonly T[]): T[] {
  const asked = text?.split(',') ?? known;
  const unknown = asked.find((name) => !known.includes(name as T));
  if (unknown !== undefined) throw new Error(`${option} ${unknown} is none of ${known.join(', ')}`);
  return known.filter((name) => asked.includes(name));
}
