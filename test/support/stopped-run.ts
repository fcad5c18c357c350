import { readFile, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type FileCall, injection } from './call-faults.ts';
import { type Action, endOf, startTraced, type TracedEnd } from './traced-run.ts';

/** A program that was stopped, as by SIGSTOP, a closed lid, or a disk that does not answer. */
export interface StoppedRun {
  goOn(): Promise<TracedEnd>;
  kill(): Promise<void>;
}

/** Milliseconds. */
const OFTEN = 5;

/** Runs an action until it has done a call, and stops it there. `log`: a file of its own. @throws where it ends before */
export async function stopAfter(action: Action, call: FileCall, log: string): Promise<StoppedRun> {
  const child = startTraced(action, [...injection(call, 'STOP'), '-o', log]);
  let end: TracedEnd | undefined;
  const ended = endOf(child).then((told) => {
    end = told;
    return told;
  });
  // Who waits for the end is told.
  ended.catch(() => undefined);
  while (!(await readFile(log, 'utf8').catch(() => '')).includes('--- stopped by SIGSTOP ---')) {
    if (end || child.exitCode !== null)
      throw new Error(`it ended before it was stopped: ${JSON.stringify(await ended)}`);
    await sleep(OFTEN);
  }
  return {
    async goOn() {
      const tracer = child.pid as number;
      const children = await readFile(`/proc/${tracer}/task/${tracer}/children`, 'utf8');
      // Again and again: each thread counts its calls for itself, and one without a path may be another thread's first, too.
      const waking = setInterval(() => wake(Number(children)), OFTEN);
      wake(Number(children));
      const told = await ended.finally(() => clearInterval(waking));
      await rm(log);
      return told;
    },
    async kill() {
      process.kill(-(child.pid as number), 'SIGKILL');
      await ended;
      // Who watched it may end before it does.
      while (isThere(-(child.pid as number))) await sleep(5);
      await rm(log);
    },
  };
}

function wake(pid: number): void {
  // It may have ended in this moment.
  if (isThere(pid)) process.kill(pid, 'SIGCONT');
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
