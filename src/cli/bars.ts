import { MultiBar, type SingleBar } from 'cli-progress';
import type { Progress } from '../jobs/types.ts';
import { oneLine } from '../report/printable.ts';
import { durationText, sizeText } from '../report/quantity.ts';
import type { Run } from './command.ts';
import type { Display } from './display.ts';
import { noticeText } from './print.ts';

const BAR = { least: 8, most: 24 };

/** What one bar shows. */
export interface BarState {
  name: string;
  done: number;
  total: number;
  /** Bytes per second, of the disk, not of the file. */
  speed: number;
  changed: number;
  stored: number;
  /** Seconds; undefined while nobody can tell. */
  left: number | undefined;
}

/** A bar per disk and one for the run, redrawn in place, gone when the run is over. */
export function openBars(run: Run): Display {
  const started = performance.now();
  const bars = new Map<string, SingleBar>();
  const multi = new MultiBar({
    stream: run.stderr,
    format: (_options, { maxWidth }, state: BarState) => barText(state, maxWidth),
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
    linewrap: true,
    fps: 8,
  });
  const show = (key: string, state: BarState): void => {
    const bar = bars.get(key);
    if (bar) bar.update(state.done, state);
    else bars.set(key, multi.create(state.total, state.done, state));
  };
  const stop = (): void => {
    if (multi.isActive) multi.stop();
  };
  // The way out of a crash: `using` is not reached, and a terminal without a cursor is no way to leave.
  process.once('exit', stop);
  return {
    onProgress: (progress) => {
      const states = barStates(progress, (performance.now() - started) / 1000);
      // Bars that do not fit on the screen would scroll it at every redraw.
      const disks = states.length < (run.stderr.rows || 24) ? states.slice(0, -1) : [];
      for (const state of disks) show(`disk ${state.name}`, state);
      show('run', states.at(-1)!);
    },
    onNotice: (text) => {
      const line = noticeText(text, run);
      if (!multi.isActive) run.stderr.write(line);
      else {
        multi.log(line);
        multi.update();
      }
    },
    [Symbol.dispose]: () => {
      process.off('exit', stop);
      stop();
    },
  };
}

/** The disks, then the run. */
export function barStates(progress: Progress, seconds: number): BarState[] {
  const sum = (of: 'changed' | 'stored'): number => progress.disks.reduce((total, disk) => total + disk[of], 0);
  const rate = (done: number): number => (seconds > 0 ? done / seconds : 0);
  const left = (done: number, total: number): number | undefined =>
    done > 0 && seconds >= 1 ? (Math.max(0, total - done) / done) * seconds : undefined;
  const disks = progress.disks.map((disk) => ({
    name: disk.name,
    done: disk.done,
    total: disk.size,
    speed: rate(disk.done),
    changed: disk.changed,
    stored: disk.stored,
    left: left(disk.done, disk.size),
  }));
  const whole = {
    name: progress.phase,
    done: progress.done,
    total: progress.total,
    speed: rate(progress.done),
    changed: sum('changed'),
    stored: sum('stored'),
    left: left(progress.done, progress.total),
  };
  return [...disks, whole];
}

/** One line, the bar as long as the others leave room for it; what people look for first stands first. */
export function barText(state: BarState, width: number): string {
  const share = state.total > 0 ? Math.min(1, state.done / state.total) : 0;
  const name = oneLine(state.name).slice(0, 16).padEnd(10);
  const parts = [`${Math.floor(share * 100)}%`.padStart(4), `${(state.speed / 1e6).toFixed(0)} MB/s`.padStart(9)];
  if (share < 1 && state.left !== undefined) parts.push(`${durationText(Math.round(state.left))} left`);
  if (state.changed > 0) parts.push(`changed ${sizeText(state.changed)}`);
  if (state.stored > 0) parts.push(`stored ${sizeText(state.stored)}`);
  const rest = parts.join('  ');
  const room = Math.max(BAR.least, Math.min(BAR.most, width - name.length - rest.length - 4));
  const full = Math.floor(share * room);
  return `${name}  ${'█'.repeat(full)}${'░'.repeat(room - full)}  ${rest}`;
}
