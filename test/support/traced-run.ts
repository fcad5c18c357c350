import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { rolldown } from 'rolldown';

/** A system call that changes files. */
export interface Call {
  name: string;
  /** The first of its name is 1. */
  nth: number;
  /** As strace prints it. */
  text: string;
}

/** What a program is told to do, as data: it is its only argument. */
export type Action = object;

export interface TracedEnd {
  killed: boolean;
  /** That it died of. */
  signal: string | null;
  exitCode: number | null;
  stdout: string;
  stderr: string;
}

/** All modules in one file, made by `bundle`: strace stops at every call, and most would be those that load modules. */
let script = '';
/** Milliseconds after which a run hangs. */
const LONGEST = 300_000;
const CALLS = [
  ...['pwrite64', 'pwritev', 'pwritev2', 'ftruncate', 'truncate', 'fallocate', 'copy_file_range', 'sendfile'],
  ...['fsync', 'fdatasync', 'sync_file_range', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'symlink'],
  ...['unlink', 'unlinkat', 'mkdir', 'mkdirat'],
];

/** To be called before anything is run. `source`: a file of this folder; packages with binaries stay outside. */
export async function bundle(folder: string, source = 'image-action.ts'): Promise<void> {
  script = join(folder, `${basename(source, '.ts')}.mjs`);
  await using made = await rolldown({
    ...{ input: join(import.meta.dirname, source), platform: 'node' },
    external: [/^@napi-rs\//, /^lz4-napi/, /^piscina/],
  });
  await made.write({ file: script, codeSplitting: false });
  await symlink(join(import.meta.dirname, '../../node_modules'), join(folder, 'node_modules'));
}

/**
 * Runs an action and tells all its calls that change files under `folder`, in order. The program's file work is all on one
 * thread, so that the n-th call of a name is the same one in every run.
 * @throws when something is written by `write`, which cannot be told from the runtime's own
 */
export async function recordCalls(action: Action, folder: string): Promise<Call[]> {
  const counts = new Map<string, number>();
  const threads = new Set<string>();
  const calls: Call[] = [];
  for (const line of await logOf(action, folder)) {
    const [, thread, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (!thread || !name || !line.includes(folder) || (name.startsWith('write') && !isSeen(line))) continue;
    if (name.startsWith('write')) throw new Error(`written without a position: ${line}`);
    const nth = (counts.get(name) ?? 0) + 1;
    counts.set(name, nth);
    threads.add(thread);
    calls.push({ name, nth, text: line.slice(line.indexOf(name)) });
  }
  if (threads.size > 1) throw new Error(`${threads.size} threads change files, so calls cannot be counted`);
  return calls;
}

/** The lines of strace about calls that may change files, paths in angle brackets behind what is open. */
export async function logOf(action: Action, folder: string, details: readonly string[] = []): Promise<string[]> {
  const log = `${folder}.strace`;
  const names = [...CALLS, 'write', 'writev'].join();
  const ended = await traced(action, ['--seccomp-bpf', '-y', ...details, '-o', log, '-e', `trace=${names}`]);
  const text = await readFile(log, 'utf8');
  await rm(log);
  if (ended.exitCode !== 0) throw new Error(`the action itself fails: ${ended.stderr}`);
  return text.split('\n');
}

/** Nobody reads parts that have no other name yet, so what is in them when they are left does not matter. */
function isSeen(line: string): boolean {
  return !/^[^<]*<[^>]*\.part>/.test(line);
}

/** Runs an action and kills it when it begins a call, or lets that call fail. */
export async function runUntil(action: Action, { name, nth }: Call, fault: 'KILL' | 'ENOSPC'): Promise<TracedEnd> {
  const what = fault === 'KILL' ? 'signal=KILL' : `error=${fault}`;
  // Stops at no other call, which is faster; strace 6.1 then loses signals after the first call.
  const fast = fault === 'KILL' ? [] : ['--seccomp-bpf'];
  const inject = `inject=${name}:${what}:when=${nth}`;
  return await traced(action, [...fast, '-o', '/dev/null', '-e', `trace=${name}`, '-e', inject]);
}

/** Runs an action under strace, by which it can be changed what calls do. */
export async function traced(action: Action, options: readonly string[]): Promise<TracedEnd> {
  return await endOf(startTraced(action, options));
}

/** The same for who does something to it before it ends. */
export function startTraced(action: Action, options: readonly string[]): ChildProcess {
  return startUnder('strace', ['-f', '-qq', ...options, '--'], action);
}

/** Starts an action under a tool, in a group of their own. */
export function startUnder(
  tool: string,
  options: readonly string[],
  action: Action,
  env: Readonly<Record<string, string>> = {},
): ChildProcess {
  return spawn(tool, [...options, process.execPath, script, JSON.stringify(action)], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
}

/** @throws where it hangs; it is killed then. */
export async function endOf(child: ChildProcess): Promise<TracedEnd> {
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] += text;
    });
  let hangs = false;
  const timer = setTimeout(() => {
    hangs = true;
    process.kill(-(child.pid as number), 'SIGKILL');
  }, LONGEST);
  const [exitCode, signal] = await new Promise<[number | null, string | null]>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (...end) => resolve(end));
  }).finally(() => clearTimeout(timer));
  if (hangs) throw new Error(`it did not end: ${output.stdout}${output.stderr}`);
  return { killed: signal === 'SIGKILL' || exitCode === 137, signal, exitCode, ...output };
}
