/**
 * `npm run bench`: vhdvault beside restic and borg on one disk of real files; writes RESULTS.md beside this file.
 * `npm run bench -- --quick` is one round with a small disk, only to see that it works: it writes nothing.
 * `--runs N` (default 5). Wants some 8 GiB under TMPDIR and a machine that does nothing else.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packedProject } from '../support/packed.ts';
import { type Contender, contenders } from './contenders.ts';
import { makeDiskS } from './disk-s.ts';
import { measureRound, type Round } from './measure.ts';
import { type DiskResults, resultsPage } from './results.ts';

const MIB = 1024 * 1024;

const { quick, runs: wanted } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, runs: { type: 'string', default: '5' } },
}).values;
const runs = quick ? 1 : Number(wanted);
const warmUps = quick ? 0 : 1;
if (!(Number.isSafeInteger(runs) && runs > 0)) throw new Error(`--runs ${wanted} is no number of rounds`);

await using folder = await mkdtempDisposable(join(tmpdir(), 'vhdvault-bench-'));
console.log(`building, and making the disk in ${folder.path} ...`);
const { bin } = await packedProject(folder.path);
const { present, missing } = contenders(bin);
for (const name of missing) console.log(`${name} is not installed: left out`);
const size = (quick ? 256 : 4096) * MIB;
const { disks, files } = await makeDiskS(folder.path, { files: (quick ? 40 : 450) * 1e6, size });

const results: DiskResults[] = [];
for (const disk of disks) {
  const rounds = new Map<Contender, Round[]>(present.map((contender) => [contender, []]));
  for (let n = 0; n < runs + warmUps; n++) {
    for (const contender of present) {
      const round = await measureRound(contender, disk.path, join(folder.path, contender.name));
      const times = Object.entries(round.seconds).map(([step, seconds]) => `${step} ${seconds.toFixed(2)} s`);
      console.log(
        `${disk.name}, ${n < warmUps ? 'warm-up' : `round ${n - warmUps + 1}`}, ${contender.name}: ${times.join(', ')}`,
      );
      if (n >= warmUps) rounds.get(contender)?.push(round);
    }
  }
  results.push({ disk: disk.name, rounds });
}

const command = `npm run bench${runs === 5 ? '' : ` -- --runs ${runs}`}`;
const page = resultsPage(results, { command, runs, files, missing, contenders: present });
console.log(`\n${page}`);
if (!quick) await publish(page, join(import.meta.dirname, 'RESULTS.md'));

/** Written as the checks of this project want it. */
async function publish(page: string, path: string): Promise<void> {
  await writeFile(path, page);
  const bin = join(import.meta.dirname, '../../node_modules/.bin');
  execFileSync(join(bin, 'biome'), ['format', '--write', path], { stdio: 'ignore' });
}
