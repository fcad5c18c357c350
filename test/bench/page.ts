import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bench, PartResult } from './bench-run.ts';
import { goalTable } from './goals.ts';

/** What the program was measured as before its speed was worked on. */
const BEFORE = join(import.meta.dirname, 'BEFORE.md');

const LIMITS = 'What stands between, and what was tried: [LIMITS.md](LIMITS.md).';

/** The page RESULTS.md. */
export function resultsPage(bench: Bench, command: string, results: readonly PartResult[]): string {
  const goals = results.flatMap((result) => result.goals);
  const { contenders, missing, rounds } = bench;
  const versions = new Map(contenders.map(({ name, version }) => [name.replace(/,.*/, ''), version]));
  const programs = [...versions].map(([name, version]) => `${name} ${version}`).join(', ');
  return [
    '# Measured',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1e9)} GB of memory, Linux ${release()}, Node ${process.versions.node}; ${programs}.${missing.length > 0 ? ` Not installed, so left out: ${missing.join(', ')}.` : ''}`,
    '',
    `Made by \`${command}\`. Whole processes, the disk in the page cache, encrypted by a passphrase, default settings (vhdvault: ${bench.codec}; restic: zstd where it has it; borg: lz4, repokey-blake2); each round with a new repository, the programs in turn. Median of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} in seconds, in brackets how many times as much as vhdvault. The second backup reads the whole disk again (restic --force, borg --files-cache=disabled). Stored: growth of the repository, with all that is not data. Memory: the largest peak of anonymous memory (RssAnon), sampled every 20 ms. vhdvault and qemu-img make durable what they write before they end; restic and borg what they store but not what they restore, cp nothing.`,
    ...(goals.length > 0 ? ['', '## Aims', '', ...goalTable(goals), '', LIMITS] : []),
    ...results.flatMap(({ lines }) => lines),
    '',
    '## Before',
    '',
    readFileSync(BEFORE, 'utf8').trim().replace(/^## /gm, '### '),
    '',
  ].join('\n');
}

/** Written as the checks of this project want it. */
export async function publish(page: string): Promise<void> {
  const path = join(import.meta.dirname, 'RESULTS.md');
  await writeFile(path, page);
  const bin = join(import.meta.dirname, '../../node_modules/.bin');
  execFileSync(join(bin, 'biome'), ['format', '--write', path], { stdio: 'ignore' });
}
