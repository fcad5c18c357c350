import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { findTool } from '../../fixtures/find-tool.ts';
import { packedProject } from '../support/packed.ts';
import { type BenchDisks, benchDisks, type DiskName } from './bench-disks.ts';
import { type Contender, contenders, vhdvault } from './contenders.ts';
import type { Figures } from './figures.ts';
import type { Goal } from './goals.ts';

/** What a run of the bench was asked for, and all that its parts have in common. */
export interface Bench {
  folder: string;
  /** Our program, as it is published. */
  bin: string;
  /** Of a new vault. */
  codec: 'lz4' | 'zstd';
  contenders: readonly Contender[];
  /** Programs that are not installed. */
  missing: readonly string[];
  tools: { qemuImg: string | undefined; b3sum: string | undefined };
  rounds: number;
  warmUps: number;
  quick: boolean;
  /** Those that the parts on one disk are run on. */
  diskNames: readonly DiskName[];
  disks: BenchDisks;
  figures: Figures;
}

/** What a part of the bench has found: lines of Markdown, and what came of the aims. */
export interface PartResult {
  lines: string[];
  goals: Goal[];
}

export interface BenchOptions {
  rounds: number;
  quick: boolean;
  diskNames: readonly DiskName[];
}

/** Builds our program and looks for the others; makes no disk yet. */
export async function openBench(folder: string, { rounds, quick, diskNames }: BenchOptions): Promise<Bench> {
  const { bin } = await packedProject(folder);
  const { present, missing } = contenders(bin);
  const tools = { qemuImg: findTool('qemu-img'), b3sum: findTool('b3sum') };
  const lacking = [...missing, ...(tools.qemuImg ? [] : ['qemu-img']), ...(tools.b3sum ? [] : ['b3sum'])];
  return {
    ...{ folder, bin, codec: await defaultCodec(folder, bin), contenders: present, missing: lacking, tools },
    ...{ rounds, warmUps: quick ? 0 : 1, quick, diskNames, disks: benchDisks(folder, { quick }), figures: new Map() },
  };
}

/** Runs something once per round, warm-ups first; `isMeasured` tells which they are. */
export async function inRounds(
  { rounds, warmUps }: Bench,
  run: (round: { title: string; isMeasured: boolean }) => Promise<void>,
): Promise<void> {
  for (let n = 0; n < rounds + warmUps; n++) {
    await run({ title: n < warmUps ? 'warm-up' : `round ${n - warmUps + 1}`, isMeasured: n >= warmUps });
  }
}

async function defaultCodec(folder: string, bin: string): Promise<'lz4' | 'zstd'> {
  const home = await mkdtemp(join(folder, 'codec-'));
  const env = { ...process.env, ...vhdvault(bin).env(home) };
  const told = execFileSync(process.execPath, [bin, 'init', '--json'], { env, encoding: 'utf8' });
  await rm(home, { recursive: true });
  return (JSON.parse(told) as { compression: 'lz4' | 'zstd' }).compression;
}
