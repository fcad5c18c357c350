import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { systemClock } from '../base/clock.ts';

/** Milliseconds between two looks. */
const LOOK = 20;

/** Ends a process with all of its group: asks, and after `patience` milliseconds insists; false when asking was not enough. */
export async function endGroup(pid: number, patience: number): Promise<boolean> {
  if (process.platform === 'win32') {
    // Has neither groups nor a way of asking.
    spawn('taskkill', ['/pid', `${pid}`, '/t', '/f'], { stdio: 'ignore' }).on('error', () => undefined);
    return true;
  }
  signalGroup(pid, 'SIGTERM');
  const begun = systemClock.monotonic();
  while (await isAlive(pid)) {
    if (systemClock.monotonic() - begun >= patience) {
      signalGroup(pid, 'SIGKILL');
      return false;
    }
    await systemClock.sleep(LOOK);
  }
  return true;
}

/** Whether it reached a process. The system gives a group's number to nobody else while one of its processes is there. */
function signalGroup(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}

/** Dead processes that nobody reaps, as in a container without an init, belong to a group too: where /proc tells, they do not count. */
async function isAlive(pid: number): Promise<boolean> {
  if (!signalGroup(pid, 0)) return false;
  const found = await readdir('/proc').catch(() => []);
  const members = await Promise.all(found.filter((name) => /^\d+$/.test(name)).map((name) => stateIn(name, pid)));
  const states = members.filter((state) => state !== undefined);
  return states.length === 0 || states.some((state) => state !== 'Z' && state !== 'X');
}

/** The state of a process (field 3 of /proc/PID/stat) if it belongs to the group (field 5). */
async function stateIn(name: string, group: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
  const [state, , itsGroup] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return itsGroup === `${group}` ? state : undefined;
}
