import crypto, { argon2Sync } from 'node:crypto';
import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import vm from 'node:vm';
import { systemError } from './durable-files.ts';
import { running, type SimProcess } from './process.ts';
import type { Scheduler } from './scheduler.ts';

/*
 * The system as simulated processes see it. While it is installed, what Node offers of files (cache, state and disks, which
 * are real ones in memory), pids, host names, timers and databases is answered for the simulated process that asks, without
 * threads, so that the same seed always goes the same way. Whoever is no simulated process (the test runner) gets the real thing.
 */

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** How many wake-ups of `Atomics.waitAsync` are under way: they come by the event loop. */
let waking = 0;

/** Waits until no process can do anything before its next gate opens. */
export async function quiet(): Promise<void> {
  do await turn();
  while (waking > 0);
}

/** Beyond any pid of this machine. */
export const FIRST_PID: number = 2 ** 22 + 1;

/** The scheduler of the world that lives now. */
let now: Scheduler | undefined;

/** Puts the simulated system in place of the real one, until it is disposed of. */
export function installSystem(): Disposable & { use(scheduler: Scheduler | undefined): void } {
  const undo: (() => void)[] = [];
  const put = (target: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(target, name) as PropertyDescriptor;
    undo.push(() => Object.defineProperty(target, name, before));
    Object.defineProperty(target, name, { ...before, value });
  };
  putFiles(put);
  putMachine(put, undo);
  putTimers(put);
  putWaits(put);
  putDatabases(put);
  put(crypto, 'argon2', argon2InThisThread);
  // Two thousand collections of the young generation would be a third of a campaign's time.
  put(vm, 'runInNewContext', () => () => undefined);
  syncBuiltinESMExports();
  return {
    use: (scheduler) => (now = scheduler),
    [Symbol.dispose]() {
      for (const back of undo.toReversed()) back();
      syncBuiltinESMExports();
    },
  };
}

type Put = (target: object, name: string, value: unknown) => void;
type Anything = (...parameters: never[]) => unknown;

const FILE_CALLS = [
  ...[
    'access',
    'chmod',
    'copyFile',
    'link',
    'lstat',
    'mkdir',
    'mkdtemp',
    'readdir',
    'readFile',
    'readlink',
    'realpath',
  ],
  ...['rename', 'rm', 'rmdir', 'stat', 'statfs', 'symlink', 'truncate', 'unlink', 'utimes', 'writeFile'],
];

function putFiles(put: Put): void {
  for (const name of FILE_CALLS) {
    const real = Reflect.get(promises, name) as Anything;
    const inThisThread = Reflect.get(fs, `${name}Sync`) as Anything;
    put(promises, name, async (...parameters: never[]) => {
      const process = running.getStore();
      if (!process) return real(...parameters);
      checkAlive(process);
      const [path] = parameters as unknown[];
      if (typeof path === 'string' && path.startsWith('/proc/')) return procFile(process, path);
      return inThisThread(...parameters);
    });
  }
  const real = promises.open;
  put(promises, 'open', async (path: string, flags: string, mode: number) => {
    const process = running.getStore();
    if (!process) return real(path, flags, mode);
    checkAlive(process);
    return new SimHandle(process, fs.openSync(path, flags, mode));
  });
}

/** What production code uses of Node's FileHandle. */
class SimHandle implements AsyncDisposable {
  readonly fd: number;
  readonly #process: SimProcess;

  constructor(process: SimProcess, fd: number) {
    this.fd = fd;
    this.#process = process;
    process.openFiles.add(this);
  }
  async read(target: Uint8Array, at: number, length: number, position: number): Promise<{ bytesRead: number }> {
    checkAlive(this.#process);
    return { bytesRead: fs.readSync(this.fd, target, at, length, position) };
  }
  async write(bytes: Uint8Array, at: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    checkAlive(this.#process);
    return { bytesWritten: fs.writeSync(this.fd, bytes, at, length, position) };
  }
  async writeFile(content: string | Uint8Array): Promise<void> {
    checkAlive(this.#process);
    fs.writeFileSync(this.fd, content);
  }
  async stat(options: { bigint: true }): Promise<fs.BigIntStats> {
    return fs.fstatSync(this.fd, options);
  }
  async sync(): Promise<void> {
    checkAlive(this.#process);
  }
  /** A process that dies closes its files too. */
  async close(): Promise<void> {
    if (this.#process.openFiles.delete(this)) fs.closeSync(this.fd);
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A dead process changes nothing more. */
function checkAlive(process: SimProcess): void {
  if (process.state === 'dead') throw systemError('EIO');
}

/** Who holds a lock is looked for there. */
function procFile({ machine, pid }: SimProcess, path: string): string {
  if (path === '/proc/sys/kernel/random/boot_id') return machine.boot;
  if (path === '/proc/self/ns/pid') return `pid:[${machine.name}]`;
  const wanted = /^\/proc\/(\d+)\/stat$/.exec(path)?.[1];
  const found = machine.processes.find((other) => other.pid === Number(wanted) && other.state === 'running');
  if (wanted === undefined || !(found || Number(wanted) === pid)) throw systemError('ENOENT');
  // Field 22 is the time of its start.
  return `${wanted} (node) S ${Array.from({ length: 18 }, () => 0).join(' ')} ${wanted}`;
}

function putMachine(put: Put, undo: (() => void)[]): void {
  const { hostname, uptime } = os;
  put(os, 'hostname', () => running.getStore()?.machine.name ?? hostname());
  put(os, 'uptime', () => {
    const process = running.getStore();
    return process && now ? (now.time - process.machine.bootedAt) / 1000 : uptime();
  });
  const pid = Object.getOwnPropertyDescriptor(process, 'pid') as PropertyDescriptor;
  undo.push(() => Object.defineProperty(process, 'pid', pid));
  Object.defineProperty(process, 'pid', {
    configurable: true,
    enumerable: true,
    get: () => running.getStore()?.pid ?? pid.value,
  });
}

function putTimers(put: Put): void {
  const { setInterval: real, clearInterval: realClear } = globalThis;
  put(globalThis, 'setInterval', (work: () => void, milliseconds: number) => {
    const process = running.getStore();
    if (!process || !now) return real(work, milliseconds);
    return { stop: now.every(process, milliseconds, work), unref: () => undefined };
  });
  put(globalThis, 'clearInterval', (timer: { stop?: () => void } | undefined) => {
    if (timer?.stop) timer.stop();
    else realClear(timer as Parameters<typeof realClear>[0]);
  });
}

function putWaits(put: Put): void {
  const { waitAsync, notify } = Atomics;
  put(Atomics, 'waitAsync', (...parameters: Parameters<typeof waitAsync>) => {
    const result = waitAsync(...parameters);
    if (!result.async) return result;
    return { async: true, value: result.value.finally(() => waking--) };
  });
  put(Atomics, 'notify', (...parameters: Parameters<typeof notify>) => {
    const woken = notify(...parameters);
    waking += woken;
    return woken;
  });
}

/**
 * A database belongs to the process that opened it, and nobody waits for another process's lock, since that one stands still
 * meanwhile. By the prototype: what `node:sqlite` exports cannot be replaced for those who have imported it.
 */
function putDatabases(put: Put): void {
  const { exec, close } = DatabaseSync.prototype;
  put(DatabaseSync.prototype, 'exec', function (this: DatabaseSync, sql: string) {
    const process = running.getStore();
    if (process?.state === 'dead') close.call(this);
    else if (process && !process.databases.has(this)) {
      process.databases.add(this);
      exec.call(this, 'PRAGMA busy_timeout = 0');
    }
    exec.call(this, sql);
  });
}

function argon2InThisThread(
  ...[name, parameters, done]: [
    Parameters<typeof argon2Sync>[0],
    Parameters<typeof argon2Sync>[1],
    (error: null, key: Buffer) => void,
  ]
): void {
  done(null, argon2Sync(name, parameters));
}
