import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { systemClock } from '../base/clock.ts';
import { HookOutput, lastLine } from './hook-output.ts';
import { endGroup } from './process-group.ts';

export interface HookOptions {
  hook: 'pre' | 'post';
  /** For the shell. */
  command: string;
  /** Added to the process's own, of which VHDVAULT_PASSPHRASE is never handed on. */
  environment: Readonly<Record<string, string>>;
  /** Milliseconds. */
  timeout: number;
  signal?: AbortSignal | undefined;
  /** Masks the secrets in what the hook printed. */
  redact: (text: string) => string;
  onNotice?: ((text: string) => void) | undefined;
  /** Milliseconds from SIGTERM to SIGKILL. */
  killAfter?: number;
}

/** How a hook of a backup went. */
export interface HookResult {
  /** Which of the two. */
  hook: 'pre' | 'post';
  /** not-found: the shell did not find the command. */
  outcome: 'succeeded' | 'failed' | 'timed-out' | 'cancelled' | 'not-found';
  /** Of its shell; null when a signal ended it. */
  exitCode: number | null;
  /** The signal that ended its shell. */
  signal: string | null;
  /** From beginning to end. */
  seconds: number;
  /** The end of what it printed, standard output and error as they came. */
  output: string;
  /** One sentence for people; null when it succeeded. */
  problem: string | null;
}

/** How a hook ended: by itself, unless `stopped`. */
interface End {
  exitCode: number | null;
  signal: string | null;
  stopped?: 'timed-out' | 'cancelled';
  /** Why it could not be started. */
  error?: string;
}

const KILL_AFTER = 5000;
/** For output that is still in the pipe when the shell has ended. */
const PIPE_WAIT = 500;
/** A longer timer fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;
/** Of the last line in a problem, characters. */
const LONGEST_LINE = 300;
/** What shells call a command that they do not find: sh, cmd. */
const NOT_FOUND = [127, 9009];

/**
 * Runs one hook of a backup by the shell. Never throws: whatever happens is told in the result. It has a process group
 * and a session of its own, so a Ctrl-C at the terminal reaches only us, and nothing can ask there for a password.
 */
export async function runHook(options: HookOptions): Promise<HookResult> {
  // Not execa: it waits for background children that hold the pipes, stops only the shell, and keeps the head of the output.
  const { hook, redact, timeout } = options;
  const begun = systemClock.monotonic();
  const printed = new HookOutput();
  const end = await run(options, printed);
  const seconds = (systemClock.monotonic() - begun) / 1000;
  const output = printed.text(redact);
  const outcome = outcomeOf(end);
  const problem = problemOf(hook, outcome, { ...end, timeout, output });
  return {
    ...{ hook, outcome, exitCode: end.exitCode, signal: end.signal, seconds, output },
    problem: problem === null ? null : redact(problem),
  };
}

async function run(options: HookOptions, printed: HookOutput): Promise<End> {
  const { hook, signal, onNotice } = options;
  if (signal?.aborted) return { exitCode: null, signal: null, stopped: 'cancelled' };
  let child: ChildProcess;
  try {
    child = start(options);
  } catch (error) {
    return { exitCode: null, signal: null, error: (error as Error).message };
  }
  // Not there when no more files can be opened.
  const streams = [child.stdout, child.stderr].filter(Boolean) as Socket[];
  for (const stream of streams) stream.on('data', (chunk: Buffer) => printed.add(chunk)).on('error', () => undefined);
  const closed = new Promise<true>((resolve) => child.once('close', () => resolve(true)));
  const end = await endOf(child, options);
  if (end.error === undefined && !(await within(closed, PIPE_WAIT))) {
    onNotice?.(`--${hook} left a process behind that holds its output open; it is not waited for`);
    // Read on, or a daemon that the hook started would be ended by SIGPIPE; but the program need not stay for it.
    for (const stream of streams) stream.unref();
    child.unref();
  }
  return end;
}

function start({ command, environment }: HookOptions): ChildProcess {
  const options: SpawnOptions = {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
    windowsHide: true,
    env: { ...process.env, ...environment, VHDVAULT_PASSPHRASE: undefined },
  };
  if (process.platform === 'win32') return spawn(command, { ...options, shell: true });
  // One pipe for both streams, or their order would be lost.
  return spawn('/bin/sh', ['-c', 'exec /bin/sh -c "$1" 2>&1', 'sh', command], options);
}

/** Waits for the shell to end, and ends the whole group where time or the caller's patience is over. */
async function endOf(child: ChildProcess, options: HookOptions): Promise<End> {
  const { hook, timeout, signal, onNotice, killAfter = KILL_AFTER } = options;
  const exit = new Promise<End>((resolve) => {
    child.once('exit', (exitCode, by) => resolve({ exitCode, signal: by }));
    child.once('error', ({ message }) => resolve({ exitCode: null, signal: null, error: message }));
  });
  const { promise: asked, resolve: ask } = Promise.withResolvers<'timed-out' | 'cancelled'>();
  const timer = setTimeout(() => ask('timed-out'), Math.min(timeout, LONGEST_TIMER));
  const onAbort = (): void => ask('cancelled');
  signal?.addEventListener('abort', onAbort);
  try {
    const first = await Promise.race([exit, asked]);
    if (typeof first !== 'string') return first;
    if (!(await endGroup(child.pid as number, killAfter))) {
      onNotice?.(`--${hook} did not end ${killAfter / 1000} s after SIGTERM: all of it was sent SIGKILL`);
    }
    // On a frozen file system not even SIGKILL ends a process before the thaw, which may be --post's work.
    const end = await within(exit, PIPE_WAIT);
    return { ...(end ?? { exitCode: null, signal: null }), stopped: first };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), milliseconds);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function outcomeOf({ exitCode, stopped }: End): HookResult['outcome'] {
  if (stopped) return stopped;
  if (exitCode === 0) return 'succeeded';
  return exitCode !== null && NOT_FOUND.includes(exitCode) ? 'not-found' : 'failed';
}

/** What went wrong, in one sentence: `--pre failed with exit code 3: <the last line of its output>`. */
export function problemOf(
  hook: HookResult['hook'],
  outcome: HookResult['outcome'],
  { exitCode, signal, error, timeout, output }: End & { timeout: number; output: string },
): string | null {
  const line = [...lastLine(output)];
  const last = line.length > LONGEST_LINE ? `...${line.slice(-LONGEST_LINE).join('')}` : line.join('');
  const because = last === '' ? '' : `: ${last}`;
  switch (outcome) {
    case 'succeeded':
      return null;
    case 'timed-out':
      return `--${hook} did not end within ${timeout / 1000} s (--hook-timeout) and was stopped${because}`;
    case 'cancelled':
      return `--${hook} was cancelled${because}`;
    case 'not-found':
      return `--${hook} failed: the shell does not find a command (exit code ${exitCode})${because}`;
    case 'failed':
      if (error !== undefined) return `--${hook} could not be started: ${error}`;
      return `--${hook} ${signal === null ? `failed with exit code ${exitCode}` : `was ended by ${signal}`}${because}`;
  }
  return outcome satisfies never;
}
