import { cpus, release, totalmem } from 'node:os';
import type { Contender } from './contenders.ts';
import { type Round, STEPS, type Step } from './measure.ts';

const TITLES: Record<Step, string> = {
  first: 'first backup',
  again: 'unchanged second',
  restore: 'restore',
  verify: 'verify all data',
};

export interface DiskResults {
  disk: string;
  rounds: ReadonlyMap<Contender, readonly Round[]>;
}

export interface BenchFacts {
  command: string;
  runs: number;
  files: number;
  missing: readonly string[];
  contenders: readonly Contender[];
}

/** The page RESULTS.md. */
export function resultsPage(results: readonly DiskResults[], facts: BenchFacts): string {
  const { command, runs, contenders, missing } = facts;
  const versions = contenders.map(({ name, version }) => `${name} ${version}`).join(', ');
  return [
    '# Measured',
    '',
    `${new Date().toISOString().slice(0, 10)}, ${cpus().length} cores of ${cpus()[0]?.model ?? 'unknown'}, ${Math.round(totalmem() / 1e9)} GB of memory, Linux ${release()}, Node ${process.versions.node}; ${versions}.${missing.length > 0 ? ` Not installed, so left out: ${missing.join(', ')}.` : ''}`,
    '',
    `Made by \`${command}\`: an ext4 disk with ${Math.round(facts.files / 1e6)} MB of real files. Whole processes, the disk in the page cache, encrypted by a passphrase, default settings (restic: zstd where it has it; borg: lz4, repokey-blake2); each round with a new repository, the programs in turn. Median of ${runs} ${runs === 1 ? 'round' : 'rounds'} in seconds, in brackets how many times as long as vhdvault. The second backup reads the whole disk again (restic --force, borg --files-cache=disabled). Stored: growth of the repository by the first backup. Memory: peak of anonymous memory (RssAnon), sampled every 20 ms.`,
    ...results.flatMap((result) => ['', `## ${result.disk}`, '', ...table(result)]),
    '',
  ].join('\n');
}

function table({ rounds }: DiskResults): string[] {
  const all = [...rounds];
  const row = (
    title: string,
    of: (round: Round) => number,
    text: (value: number) => string,
    ratio: boolean,
  ): string => {
    const values = all.map(([, list]) => median(list.map(of)));
    const cells = values.map((value, n) =>
      n > 0 && ratio ? `${text(value)} (${(value / (values[0] as number)).toFixed(1)})` : text(value),
    );
    return `| ${title} | ${cells.join(' | ')} |`;
  };
  const mb = (bytes: number): string => `${Math.round(bytes / 1e6)} MB`;
  return [
    `| | ${all.map(([{ name }]) => name).join(' | ')} |`,
    `|---|${'---|'.repeat(all.length)}`,
    ...STEPS.map((step) =>
      row(
        TITLES[step],
        ({ seconds }) => seconds[step],
        (value) => value.toFixed(2),
        true,
      ),
    ),
    row('stored', ({ stored }) => stored, mb, true),
    ...STEPS.map((step) => row(`memory, ${TITLES[step]}`, ({ peak }) => peak[step], mb, false)),
  ];
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}
