import { readFile, readlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { systemCode } from '../base/errors.ts';
import { bootId } from '../base/machine.ts';

/** Who holds a lock. */
export interface Owner {
  host: string;
  pid: number;
  /** Start time of the process, as the kernel tells it; pids are used again. */
  start: string;
  /** Boot id of the host, and the namespace that the pid counts in: containers share the one, not the other. */
  boot: string;
  pids: string;
  since: number;
  beat: number;
  /** Random, one per lock. */
  token: string;
}

/** This process, as an owner of locks. */
export async function thisProcess(): Promise<Pick<Owner, 'host' | 'pid' | 'start' | 'boot' | 'pids'>> {
  const pids = await readlink('/proc/self/ns/pid').catch(() => '');
  const start = await startOf(process.pid);
  return { host: hostname(), pid: process.pid, start: start ?? '', boot: await bootId(), pids };
}

/** Whether a pid of `other` means the same here. Elsewhere than on Linux nothing but the host's name tells. */
export function sharesPids(other: Owner, mine: Owner): boolean {
  if (other.host !== mine.host || other.boot !== mine.boot || other.pids !== mine.pids) return false;
  return process.platform !== 'linux' || (mine.boot !== '' && mine.pids !== '');
}

/** Of an owner on this machine before it was started last. Elsewhere there may be a machine of the same name. */
export function isOfEarlierStart(other: Owner, mine: Owner): boolean {
  return other.host === mine.host && other.boot !== '' && mine.boot !== '' && other.boot !== mine.boot;
}

/** Whether the process that took the lock still runs; only where pids mean the same. */
export async function isRunning({ pid, start }: Owner): Promise<boolean> {
  const found = await startOf(pid);
  return found !== undefined && (found === start || found === ALIVE);
}

const ALIVE = 'alive';

/** Start time of a running process (field 22 of /proc/PID/stat) or, where that is not told, that it lives; undefined when there is none. */
async function startOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat !== undefined) {
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie is dead: its parent has not looked yet.
    return ['Z', 'X'].includes(fields[0] as string) ? undefined : fields[19];
  }
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of another user.
    if (systemCode(error) !== 'EPERM') return undefined;
  }
  return ALIVE;
}
