import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { BenchDisk } from './bench-disks.ts';
import { type Bench, inRounds } from './bench-run.ts';
import { type Contender, OURS, OURS_ZSTD, type Step } from './contenders.ts';
import { type Figure, record } from './figures.ts';
import { bytesIn, perform, readThrough } from './measure.ts';
import { type Yardsticks, yardsticks } from './yardsticks.ts';

/** The parts that are done with one repository, in this order; `first` always is. */
export const DISK_STEPS = ['first', 'again', 'restore', 'verify', 'incremental'] as const;
export type DiskStep = (typeof DISK_STEPS)[number];

/** What the yardsticks are called in the figures. */
export const YARDSTICK = {
  loop: 'bare loop',
  loopZstd: 'bare loop, zstd',
  durable: 'dd conv=fsync of the bytes stored',
  hash: 'b3sum --num-threads 2',
  convert: 'qemu-img convert, dynamic',
  convertFixed: 'qemu-img convert, fixed',
  copy: 'cp of the restored image',
} as const;

interface Round {
  bench: Bench;
  disk: BenchDisk;
  steps: readonly DiskStep[];
  measured: (who: string, what: string, figure: Figure) => void;
  sticks: Yardsticks;
}

/** Every program in turn, each with a new repository, then the yardsticks: as often as rounds are wanted. */
export async function diskRounds(bench: Bench, disk: BenchDisk, steps: readonly DiskStep[]): Promise<void> {
  const sticks = yardsticks(bench);
  await inRounds(bench, async ({ title, isMeasured }) => {
    const told: string[] = [];
    const measured = (who: string, what: string, figure: Figure): void => {
      told.push(`${who} ${what} ${figure.seconds.toFixed(2)}`);
      if (isMeasured) record(bench.figures, { disk: disk.name, who, what }, figure);
    };
    const round = { bench, disk, steps, measured, sticks };
    let stored = 0;
    for (const contender of bench.contenders) {
      const bytes = await contenderRound(round, contender);
      if (contender.name === OURS) stored = bytes;
    }
    await yardstickRound(round, stored);
    console.log(`${disk.name}, ${title}: ${told.join(', ')}`);
  });
}

/** Gives the bytes that the first backup stored. */
async function contenderRound(round: Round, contender: Contender): Promise<number> {
  const { bench, disk, steps } = round;
  if (contender.name === OURS_ZSTD && disk.changed === undefined) return 0;
  const home = join(bench.folder, contender.name.replace(/\W+/g, '-'));
  const place = { home, disk: disk.path, target: join(home, 'restored') };
  await mkdir(home, { recursive: true });
  try {
    await perform(contender.calls.init?.(place) ?? [], contender.env(home));
    const step = (name: Step, what: string, path: string = disk.path): Promise<number> =>
      contenderStep(round, contender, { name, what, place: { ...place, disk: path } });
    const stored = await step('first', 'first');
    if (steps.includes('again')) await step('again', 'again');
    if (steps.includes('restore')) {
      await step('restore', 'restore');
      if (disk.isConverted) await step('restore fixed', 'restore fixed');
    }
    if (steps.includes('verify')) await step('verify', 'verify');
    if (steps.includes('incremental') && disk.changed !== undefined) await step('next', 'incremental', disk.changed);
    return stored;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function contenderStep(
  { measured, sticks }: Round,
  contender: Contender,
  { name, what, place }: { name: Step; what: string; place: { home: string; disk: string; target: string } },
): Promise<number> {
  const calls = contender.calls[name]?.(place);
  if (!calls) return 0;
  const repository = contender.repository(place.home);
  const before = await bytesIn(repository);
  await mkdir(place.target);
  await readThrough(place.disk);
  const { seconds, peak } = await perform(calls, contender.env(place.home));
  const stored = (await bytesIn(repository)) - before;
  measured(contender.name, what, { seconds, peak, stored });
  if (contender.name === OURS && what === 'restore') {
    measured('', YARDSTICK.copy, { seconds: await sticks.copy(join(place.target, 'disk.vhd')) });
  }
  await rm(place.target, { recursive: true });
  return stored;
}

async function yardstickRound({ bench, disk, steps, measured, sticks }: Round, stored: number): Promise<void> {
  const { path } = disk;
  await readThrough(path);
  const stick = (what: string, seconds: number | undefined): void => {
    if (seconds !== undefined) measured('', what, { seconds });
  };
  if (steps.includes('first')) {
    stick(YARDSTICK.loop, await sticks.bareLoop(path, bench.codec));
    if (bench.codec !== 'zstd') stick(YARDSTICK.loopZstd, await sticks.bareLoop(path, 'zstd'));
    stick(YARDSTICK.durable, await sticks.durable(stored));
  }
  if (steps.includes('again')) stick(YARDSTICK.hash, await sticks.hash(path));
  if (!steps.includes('restore') || !disk.isConverted) return;
  stick(YARDSTICK.convert, await sticks.convert(path, 'dynamic'));
  stick(YARDSTICK.convertFixed, await sticks.convert(path, 'fixed'));
}
