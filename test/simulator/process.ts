import { AsyncLocalStorage } from 'node:async_hooks';
import type { DatabaseSync } from 'node:sqlite';
import type { Random } from '../../src/base/random.ts';
import type { SessionOptions } from '../../src/jobs/session.ts';

/** A machine that processes run on, with a cache and a state folder of its own. */
export interface SimMachine {
  name: string;
  /** How far its wall clock is ahead of the world's time; milliseconds. */
  offset: number;
  /** Another one after every reboot. */
  boot: string;
  /** World's time of the last one. */
  bootedAt: number;
  cache: string;
  state: string;
  processes: SimProcess[];
}

/** What happened to a process, or beside it, that excuses a failure. */
export type Trouble = 'fault' | 'source' | 'cache' | 'full' | 'slept' | 'cancelled';

/** A passphrase or key file, and whether it opens the vault. */
export interface SimSecret {
  options: Pick<SessionOptions, 'passphrase' | 'keyFile'>;
  state: 'valid' | 'unsure' | 'gone';
}

/** One run of a command. */
export interface SimProcess {
  pid: number;
  machine: SimMachine;
  /** What it does, in words. */
  name: string;
  /** The item that it works on, where it works on one. */
  item: string | undefined;
  random: Random;
  state: 'running' | 'dead' | 'ended';
  /** Its code came to an end: that of a dead one too, since everything it tries fails. */
  settled: boolean;
  /** What it tried after its death. */
  refused: number;
  /** Stopped (SIGSTOP) until this step. */
  stoppedUntil: number;
  /** Steps. */
  began: number;
  endedAt: number;
  /** World's time; milliseconds. */
  beganTime: number;
  endedTime: number;
  troubles: Set<Trouble>;
  /** What it opened the vault with. */
  secret: SimSecret | undefined;
  /** It gives up what was forgotten so long ago; milliseconds. */
  softDelete: number | undefined;
  cancelled: AbortController;
  /** Closed by the kernel when the process dies. */
  databases: Set<DatabaseSync>;
  openFiles: Set<unknown>;
}

/** Which process runs right now. */
export const running: AsyncLocalStorage<SimProcess> = new AsyncLocalStorage();

/** Two processes that lived at the same time. */
export function overlap(a: SimProcess, b: SimProcess): boolean {
  return a !== b && a.began <= b.endedAt && b.began <= a.endedAt;
}
