import { randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { type Action, type TracedEnd, traced } from './traced-run.ts';

/** `lost`: a write that is told to be done, and is not. */
export type Fault = 'KILL' | 'ENOSPC' | 'EIO' | 'EACCES' | 'lost';

/** A system call of a program that changes files. */
export interface FileCall {
  name: string;
  /** That it is counted by, since several threads make such calls; null: one thread makes all of that name. */
  file: string | null;
  /** The file or folder; of two the new name. */
  path: string;
  /** The first of its name (and file) is 1. */
  nth: number;
  /** What it returned: of writes, the bytes. */
  returned: number;
  /** As strace prints it. */
  text: string;
}

export interface FaultedEnd extends TracedEnd {
  /** The fault came to pass. */
  isHit: boolean;
}

const WRITES = ['write', 'writev', 'pwrite64', 'pwritev', 'pwritev2'];
/** That go by name. */
const NAMED = ['rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat', 'rmdir', 'mkdir', 'mkdirat'];
const OTHERS = ['ftruncate', 'truncate', 'fallocate', 'copy_file_range', 'fsync', 'fdatasync', 'openat'];
/** SQLite, which works on a thread of its own, makes no such calls. */
const BY_NAME = ['rename', 'renameat', 'renameat2', 'link', 'linkat', 'rmdir', 'mkdir', 'mkdirat'];
/** Has the pid in its name, so nobody can tell it ahead. */
const UNTOLD = /\.\d+\.part$/;

/**
 * Runs an action, and tells all calls that change files below `folder`, or make them, in order: where all of its randomness is
 * fixed, they are the same in the next run. The program does its file work on one thread, and SQLite on its own.
 */
export async function recordFileCalls(action: Action, folder: string): Promise<FileCall[]> {
  const log = logFile(folder);
  const ended = await traced(action, ['--seccomp-bpf', '-y', '-o', log, '-e', `trace=${allNames()}`]);
  const lines = (await readFile(log, 'utf8')).split('\n');
  await rm(log);
  if (ended.exitCode !== 0 && ended.exitCode !== 3) throw new Error(`the action itself fails: ${ended.stdout}`);
  const counts = new Map<string, number>();
  const countOf = (key: string): number => {
    counts.set(key, (counts.get(key) ?? 0) + 1);
    return counts.get(key) as number;
  };
  const threads = new Map<string, string>();
  const calls: FileCall[] = [];
  for (const { thread, name, args, returned } of whole(lines)) {
    const [file = '', path = file] = pathsOf(name, args);
    const nth = countOf(`${thread} ${name}`);
    const nthOfFile = countOf(`${thread} ${name} ${file}`);
    if (!path.startsWith(`${folder}/`) || (name === 'openat' && !/O_CREAT|O_RDWR|O_WRONLY/.test(args))) continue;
    const text = `${name}(${args}) = ${returned}`;
    if (BY_NAME.includes(name)) calls.push({ name, file: null, path, nth, returned, text });
    else if (!UNTOLD.test(file)) calls.push({ name, file, path, nth: nthOfFile, returned, text });
    const counted = BY_NAME.includes(name) ? name : `${name} ${file}`;
    if ((threads.get(counted) ?? thread) !== thread) throw new Error(`two threads: ${counted}`);
    threads.set(counted, thread);
  }
  return calls;
}

function allNames(): string {
  return [...WRITES, ...NAMED, ...OTHERS].join();
}

interface Line {
  thread: string;
  name: string;
  args: string;
  returned: number;
}

/** A call that another thread's broke in two counts when it begins. */
function whole(lines: readonly string[]): Line[] {
  const found: Line[] = [];
  const begun = new Map<string, Line>();
  for (const text of lines) {
    const [, thread, name, args] = /^(\d+) +(\w+)\((.*?)(?: <unfinished \.\.\.>|\) += .*)$/.exec(text) ?? [];
    const returned = Number(/\) += (-?\d+)/.exec(text)?.[1] ?? -1);
    if (thread && name && args !== undefined) {
      const line = { thread, name, args, returned };
      found.push(line);
      begun.set(thread, line);
      continue;
    }
    const [, resumed] = /^(\d+) +<\.\.\. \w+ resumed>/.exec(text) ?? [];
    const line = resumed && begun.get(resumed);
    if (line) line.returned = returned;
  }
  return found;
}

/** Of two, the new name is the second. */
function pathsOf(name: string, args: string): string[] {
  const isNamed = name === 'openat' || NAMED.includes(name);
  const found = isNamed ? [...args.matchAll(/"([^"]*)"/g)] : [...args.matchAll(/^\d+<([^>]*)>/g)];
  return found.map(([, path]) => path as string);
}

/** What the system may answer there; a kill before a file is opened is one before the next call. */
export function faultsOf({ name }: FileCall): Fault[] {
  if (WRITES.includes(name)) return ['KILL', 'ENOSPC', 'EIO', 'lost'];
  if (name === 'openat') return ['ENOSPC', 'EIO', 'EACCES'];
  return NAMED.includes(name) ? ['KILL', 'ENOSPC', 'EIO', 'EACCES'] : ['KILL', 'ENOSPC', 'EIO'];
}

/** Runs an action in which one call goes wrong. */
export async function runWithFault(action: Action, call: FileCall, fault: Fault, folder: string): Promise<FaultedEnd> {
  const log = logFile(folder);
  const ended = await traced(action, [...injection(call, fault), '-o', log]);
  const text = await readFile(log, 'utf8').catch(() => '');
  await rm(log, { force: true });
  return { ...ended, isHit: fault === 'KILL' ? ended.killed : text.includes('(INJECTED)') };
}

/** Options of strace. Where a signal is sent it stops at every call, since 6.1 else loses it. */
export function injection({ name, file, nth, returned }: FileCall, fault: Fault | 'STOP'): string[] {
  const isSignal = fault === 'KILL' || fault === 'STOP';
  const what = isSignal ? `signal=${fault}` : fault === 'lost' ? `retval=${returned}` : `error=${fault}`;
  const inject = `inject=${name}:${what}:when=${nth}`;
  const only = file === null ? [] : ['-P', file];
  return [...(isSignal ? [] : ['--seccomp-bpf']), ...only, '-e', `trace=${name}`, '-e', inject];
}

/** Beside the folder, not in it. */
function logFile(folder: string): string {
  return `${folder}.${randomBytes(4).toString('hex')}.strace`;
}
