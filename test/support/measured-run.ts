import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface MeasuredRun {
  exitCode: number | null;
  seconds: number;
  /** Bytes; 0 where /proc cannot tell. */
  peakAnonymous: number;
  stdout: string;
  stderr: string;
}

export interface MeasuredOptions {
  env?: Record<string, string>;
  cwd?: string;
}

const EVERY_MS = 20;

/**
 * Runs a program as a whole process and samples its anonymous memory, which is what it took for itself: pages of files
 * that it maps (Node's own 120 MB) are the page cache's.
 */
export async function measuredRun(
  program: string,
  words: readonly string[],
  { env = {}, cwd = process.cwd() }: MeasuredOptions = {},
): Promise<MeasuredRun> {
  const started = performance.now();
  const child = spawn(program, words, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr, peakAnonymous] = ['', '', 0];
  child.stdout.on('data', (text) => {
    stdout += text;
  });
  child.stderr.on('data', (text) => {
    stderr += text;
  });
  const timer = setInterval(() => {
    peakAnonymous = Math.max(peakAnonymous, anonymousMemory(child.pid));
  }, EVERY_MS);
  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', resolve);
    });
    return { exitCode, seconds: (performance.now() - started) / 1000, peakAnonymous, stdout, stderr };
  } finally {
    clearInterval(timer);
  }
}

function anonymousMemory(pid: number | undefined): number {
  try {
    const found = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(found?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}
