import { execFileSync } from 'node:child_process';
import { lstat, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { measuredRun } from '../support/measured-run.ts';

/** A program with its arguments, and the folder that it runs in. */
export interface Call {
  program: string;
  words: readonly string[];
  cwd?: string;
}

export interface Performed {
  /** Of all calls together. */
  seconds: number;
  /** The largest of them; bytes. */
  peak: number;
  stdout: string;
}

/** Runs whole processes one after the other. What was left to be written before is written first: they must not pay for it. */
export async function perform(calls: readonly Call[], env: Record<string, string> = {}): Promise<Performed> {
  execFileSync('sync');
  const all: Performed = { seconds: 0, peak: 0, stdout: '' };
  for (const { program, words, cwd } of calls) {
    const ended = await measuredRun(program, words, { env, ...(cwd !== undefined && { cwd }) });
    if (ended.exitCode !== 0) {
      throw new Error(`${program} ${words.join(' ')} ended with ${ended.exitCode}: ${ended.stderr}`);
    }
    all.seconds += ended.seconds;
    all.peak = Math.max(all.peak, ended.peakAnonymous);
    all.stdout += ended.stdout;
  }
  return all;
}

/** Brings a file into the page cache. */
export async function readThrough(path: string): Promise<void> {
  await using handle = await open(path, 'r');
  const chunk = Buffer.alloc(4 * 1024 * 1024);
  while ((await handle.read(chunk, 0, chunk.length)).bytesRead > 0);
}

export async function bytesIn(folder: string): Promise<number> {
  let sum = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) sum += (await lstat(join(entry.parentPath, entry.name))).size;
  }
  return sum;
}
