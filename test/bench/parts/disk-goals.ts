import type { BenchDisk, DiskName } from '../bench-disks.ts';
import type { Bench } from '../bench-run.ts';
import { OURS, OURS_ZSTD } from '../contenders.ts';
import { type DiskStep, YARDSTICK } from '../disk-rounds.ts';
import { type Figure, medianOf } from '../figures.ts';
import { type Goal, timesBetter, timesOf } from '../goals.ts';

/** What is aimed at on one disk, by part. */
export type DiskGoal = Goal & { step: DiskStep };

/** What was aimed at on this disk, beside what was measured. */
export function diskGoals({ figures }: Bench, { name, disk }: { name: DiskName; disk: BenchDisk }): DiskGoal[] {
  const of = (who: string, what: string, field: keyof Figure = 'seconds'): number | undefined =>
    medianOf(figures, { disk: disk.name, who, what }, field);
  const isLarge = name === 'large';
  const faster = (step: DiskStep, limit: number, rival = 'restic', what: string = step): DiskGoal => ({
    step,
    ...timesBetter(`${what}, ${disk.name}`, rival, { theirs: of(rival, step), ours: of(OURS, what), limit }),
  });
  const within = (step: DiskStep, limit: number, yardstick: string, what: string = step): DiskGoal => ({
    step,
    ...timesOf(`${what}, ${disk.name}`, yardstick, { theirs: of('', yardstick), ours: of(OURS, what), limit }),
  });
  const stored = (step: DiskStep, limit: number): DiskGoal => ({
    step,
    ...timesOf(`${step}, ${disk.name}: bytes stored with zstd`, "restic's", {
      ...{ theirs: of('restic', step, 'stored'), ours: of(OURS_ZSTD, step, 'stored'), limit },
    }),
  });
  const again: DiskGoal[] = [faster('again', isLarge ? 5 : 4), afterHash(disk, of)];
  if (name === 'fixed') return [...again, faster('restore', 4)];
  const restores: DiskGoal[] = isLarge
    ? [within('restore', 1.25, YARDSTICK.copy)]
    : [
        ...[faster('restore', 4), within('restore', 2, YARDSTICK.convert)],
        faster('restore', 4, 'restic', 'restore fixed'),
        within('restore', 2, YARDSTICK.convertFixed, 'restore fixed'),
      ];
  return [
    ...[afterLoop(disk, of), faster('first', 3), faster('first', 2.5, 'borg'), stored('first', 1.1)],
    ...again,
    ...[faster('incremental', isLarge ? 5 : 3.5), stored('incremental', 1)],
    ...restores,
    faster('verify', 3),
  ];
}

type Of = (who: string, what: string) => number | undefined;

/** The larger of two things that no backup can leave out. */
function afterLoop(disk: BenchDisk, of: Of): DiskGoal {
  const [loop, durable] = [of('', YARDSTICK.loop) ?? 0, of('', YARDSTICK.durable) ?? 0];
  const yardstick = loop > durable ? YARDSTICK.loop : YARDSTICK.durable;
  const facts = { theirs: of('', yardstick), ours: of(OURS, 'first'), limit: 1.25 };
  return { step: 'first', ...timesOf(`first, ${disk.name}`, `${yardstick} (the larger)`, facts) };
}

function afterHash(disk: BenchDisk, of: Of): DiskGoal {
  const hash = of('', YARDSTICK.hash);
  const work = `again, ${disk.name}`;
  const limit = hash === undefined ? undefined : 1.3 * hash + 0.3;
  const goal = { value: of(OURS, 'again'), limit, is: 'at most', unit: ' s' } as const;
  return { step: 'again', work, measure: `1.3 times ${YARDSTICK.hash} and 0.3 s`, ...goal };
}
