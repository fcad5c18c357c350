import { execFileSync } from 'node:child_process';
import { lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { measuredRun } from '../support/measured-run.ts';
import type { Call, Contender } from './contenders.ts';

export const STEPS = ['first', 'again', 'restore', 'verify'] as const;
export type Step = (typeof STEPS)[number];

/** One round of one contender: seconds and peak of anonymous memory of each step, and the bytes that the first stored. */
export interface Round {
  seconds: Record<Step, number>;
  peak: Record<Step, number>;
  stored: number;
}

/** A new repository, then the four steps, each as a whole process with the disk in the page cache. */
export async function measureRound(contender: Contender, disk: string, home: string): Promise<Round> {
  const round: Round = { seconds: zeros(), peak: zeros(), stored: 0 };
  const target = join(home, 'restored');
  await mkdir(target, { recursive: true });
  try {
    await perform(contender, contender.init(home), home);
    const before = await bytesIn(contender.repository(home));
    const calls: Record<Step, Call> = {
      first: contender.backup(home, disk),
      again: contender.again(home, disk),
      restore: contender.restore(home, target),
      verify: contender.verify(home),
    };
    for (const step of STEPS) {
      await readThrough(disk);
      const { seconds, peakAnonymous } = await perform(contender, calls[step], home);
      round.seconds[step] = seconds;
      round.peak[step] = peakAnonymous;
      if (step === 'first') round.stored = (await bytesIn(contender.repository(home))) - before;
      if (step === 'restore') await rm(target, { recursive: true });
    }
    return round;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function perform(
  contender: Contender,
  { program, words, cwd }: Call,
  home: string,
): Promise<{ seconds: number; peakAnonymous: number }> {
  // What the step before left to be written must not be paid by this one.
  execFileSync('sync');
  const ended = await measuredRun(program, words, { env: contender.env(home), ...(cwd && { cwd }) });
  if (ended.exitCode === 0) return ended;
  throw new Error(`${program} ${words.join(' ')} ended with ${ended.exitCode}: ${ended.stderr}`);
}

async function readThrough(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  const chunk = Buffer.alloc(4 * 1024 * 1024);
  while ((await handle.read(chunk, 0, chunk.length)).bytesRead > 0);
}

async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}

function zeros(): Record<Step, number> {
  return { first: 0, again: 0, restore: 0, verify: 0 };
}
