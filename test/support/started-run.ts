import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { BIN, type Ended } from '../cli/run-cli.ts';

/** A run of the program that something is done to before it ends. */
export interface StartedRun {
  child: ChildProcess;
  ended: Promise<EndedRun>;
}

export interface EndedRun extends Ended {
  /** The signal that it died of; undefined when it ended by itself. */
  signal: NodeJS.Signals | undefined;
}

export interface StartOptions {
  /** Bytes that no file of the run may grow beyond, as by `ulimit -f`. */
  largestFile?: number;
}

const BLOCK = 512;

/** Starts the program, with nothing of this machine's vaults in its environment and no terminal. */
export function startCli(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  { largestFile }: StartOptions = {},
): StartedRun {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VHDVAULT_')));
  const command = [process.execPath, BIN, ...words];
  const limit = largestFile === undefined ? 'unlimited' : `${Math.floor(largestFile / BLOCK)}`;
  const [program, ...rest] = ['/bin/sh', '-c', `ulimit -f ${limit}; exec "$@"`, 'sh', ...command];
  const child = spawn(
    largestFile === undefined ? process.execPath : program!,
    largestFile === undefined ? command.slice(1) : rest,
    {
      env: { ...clean, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  return { child, ended: endOf(child) };
}

async function endOf(child: ChildProcess): Promise<EndedRun> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  const [exitCode, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...end) => resolve(end));
  });
  const trimmed = { stdout: output.stdout.trimEnd(), stderr: output.stderr.trimEnd() };
  return { ...trimmed, exitCode: exitCode ?? undefined, signal: signal ?? undefined };
}

const LONGEST_WAIT = 30_000;

/** Looks every few milliseconds until there is an answer; false when the run has ended before there was one. */
export async function seenBeforeEnd({ child }: StartedRun, look: () => boolean): Promise<boolean> {
  const begun = performance.now();
  while (!look()) {
    if (child.exitCode !== null || child.signalCode !== null) return look();
    if (performance.now() - begun > LONGEST_WAIT) throw new Error('it was waited for in vain');
    await sleep(3);
  }
  return true;
}
