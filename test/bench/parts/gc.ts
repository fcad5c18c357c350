import { cp, mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bench, inRounds, type PartResult } from '../bench-run.ts';
import { bringUpTo } from '../bring-up-to.ts';
import { type Contender, KEPT, OURS } from '../contenders.ts';
import { medianOf, record } from '../figures.ts';
import { timesBetter } from '../goals.ts';
import { besides, markdownTable, mebibytes, megabytes, secondsText } from '../markdown.ts';
import { bytesIn, perform } from '../measure.ts';

const POINTS = 2 * KEPT;
const DISK = 'S, ten points';
const WHAT = 'gc';

/** Part `gc`: ten points with scattered changes, half of them forgotten, and all freed that only they had. */
export async function gcPart(bench: Bench): Promise<PartResult> {
  const contenders = bench.contenders.filter(({ calls }) => calls.gc);
  const homes = await makePoints(bench, contenders);
  await inRounds(bench, async ({ title, isMeasured }) => {
    for (const contender of contenders) {
      const { home, made } = homes.get(contender.name) as Home;
      await cp(made, home, { recursive: true, preserveTimestamps: true });
      const before = await bytesIn(contender.repository(home));
      const calls = contender.calls.gc?.({ home, disk: '', target: '' }) ?? [];
      const { seconds, peak } = await perform(calls, contender.env(home));
      const freed = before - (await bytesIn(contender.repository(home)));
      console.log(`gc, ${title}, ${contender.name}: ${seconds.toFixed(2)} s, ${megabytes(freed)} freed`);
      const key = { disk: DISK, who: contender.name, what: WHAT };
      if (isMeasured) record(bench.figures, key, { seconds, peak, stored: freed });
      await rm(home, { recursive: true });
    }
  });
  return gcResult(bench, contenders);
}

/** Where a repository works, and where it is kept as it was made. */
interface Home {
  home: string;
  made: string;
}

async function makePoints(bench: Bench, contenders: readonly Contender[]): Promise<Map<string, Home>> {
  const { machine, path } = await bench.disks.goingOn();
  const homes = new Map<string, Home>();
  for (const contender of contenders) {
    const home = join(bench.folder, `gc-${contender.name}`);
    homes.set(contender.name, { home, made: `${home}-made` });
    await mkdir(home);
    await perform(contender.calls.init?.({ home, disk: path, target: '' }) ?? [], contender.env(home));
  }
  for (let n = 0; n < POINTS; n++) {
    if (n > 0) {
      await machine.change(n + 1);
      await bringUpTo(path, machine.raw);
    }
    for (const contender of contenders) {
      const { home } = homes.get(contender.name) as Home;
      const backup = n === 0 ? contender.calls.first : contender.calls.next;
      await perform(backup?.({ home, disk: path, target: '' }) ?? [], contender.env(home));
    }
    console.log(`gc: point ${n + 1} of ${POINTS} made`);
  }
  for (const { home, made } of homes.values()) await rename(home, made);
  await rm(path);
  return homes;
}

function gcResult({ figures }: Bench, contenders: readonly Contender[]): PartResult {
  const names = contenders.map(({ name }) => name);
  const of = (who: string, field: 'seconds' | 'peak' | 'stored'): number | undefined =>
    medianOf(figures, { disk: DISK, who, what: WHAT }, field);
  const rows = [
    [
      'seconds',
      ...names.map((who) => {
        const text = secondsText(of(who, 'seconds'));
        return who === OURS ? text : besides(text, of(who, 'seconds'), of(OURS, 'seconds'));
      }),
    ],
    ['freed', ...names.map((who) => megabytes(of(who, 'stored')))],
    ['memory', ...names.map((who) => mebibytes(of(who, 'peak')))],
  ];
  return {
    lines: [
      ...['', '## Forget half of ten points, and free what only they had', ''],
      'Each point differs from the one before by scattered changes. vhdvault `forget --keep-last 5 --gc --soft-delete 0s --grace 0s`, restic `forget --keep-last 5 --prune`, borg `prune` and `compact`; the repositories are put back for each round.',
      ...['', ...markdownTable(['', ...names], rows)],
    ],
    goals: [
      timesBetter('forget half and gc', 'restic', {
        theirs: of('restic', 'seconds'),
        ours: of(OURS, 'seconds'),
        limit: 5,
      }),
    ],
  };
}
