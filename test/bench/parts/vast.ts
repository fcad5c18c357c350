import { availableParallelism } from 'node:os';
import type { VastParts } from '../bench-disks.ts';
import type { Bench, PartResult } from '../bench-run.ts';
import { OURS } from '../contenders.ts';
import { medianOf, peaksOf } from '../figures.ts';
import type { Goal } from '../goals.ts';
import { markdownTable, mebibytes, secondsText } from '../markdown.ts';
import { CHANGES, VAST_STEPS, type VastStep, vastRun } from '../vast-run.ts';

const MIB = 2 ** 20;
const GIB = 1024 * MIB;
const LIMIT = 300 * MIB;
const WHOLE: VastParts = { size: 1, data: 1 };
/** What grows must show between the first and the second, what must not between the second and the third. */
const GROWING: readonly VastParts[] = [WHOLE, { size: 1, data: 0.25 }, { size: 0.125, data: 0.25 }];
const QUICKER = VAST_STEPS.filter(
  (step) => !['restore', 'verify all data', 'forget all but one and gc'].includes(step),
);

/** Part `growth`: what a backup and a diff of huge sparse disks grow with. One round: it is about magnitudes. */
export async function growthPart(bench: Bench): Promise<PartResult> {
  const names: string[] = [];
  for (const parts of GROWING) names.push(await measured(bench, parts, parts === WHOLE ? VAST_STEPS : QUICKER));
  const rows = VAST_STEPS.map((what) => [what, ...names.map((disk) => secondsText(secondsOf(bench, disk, what)))]);
  return {
    lines: [
      ...['', '## Growth: sparse dynamic VHDs', ''],
      `Seconds of one round, two threads. few: ${CHANGES.few} blocks of 128 KiB; many: ${CHANGES.many}. What a commit takes with thousands of points: \`npm run bench:scale\`.`,
      ...['', ...markdownTable(['', ...names], rows, 'lrrr')],
    ],
    goals: [],
  };
}

/** Part `memory`: the vast disk, and the peaks of all that was measured before. */
export async function memoryPart(bench: Bench): Promise<PartResult> {
  const vast = await measured(bench, WHOLE, VAST_STEPS);
  const peaks = peaksOf(bench.figures, OURS);
  const disks = [...new Set(peaks.map(({ disk }) => disk))];
  const largest = disks.map((name) => {
    const own = peaks.filter(({ disk }) => disk === name);
    return own.reduce((most, one) => (one.peak > most.peak ? one : most));
  });
  const all = peaks.filter(({ disk }) => disk === vast);
  return {
    lines: [
      ...['', '## Memory: peaks of anonymous memory (RssAnon)', ''],
      `Default threads (${availableParallelism()} here); of the vast disk --threads 2. The worst step of each disk:`,
      ...['', ...markdownTable(['disk', 'step', 'peak'], largest.map(peakRow), 'llr')],
      ...[
        '',
        'All steps of the vast disk:',
        '',
        ...markdownTable(
          ['step', 'peak'],
          all.map((one) => peakRow(one).slice(1)),
          'lr',
        ),
      ],
    ],
    goals: largest.map(({ disk, what, peak }): Goal => {
      const goal = { value: peak / MIB, limit: LIMIT / MIB, is: 'at most', unit: ' MiB' } as const;
      return { work: `memory, ${disk}`, measure: `the worst, ${what}`, ...goal };
    }),
  };
}

interface Peak {
  disk: string;
  what: string;
  peak: number;
}

function peakRow({ disk, what, peak }: Peak): string[] {
  return [disk, what, mebibytes(peak)];
}

/** Runs it unless another part has. */
async function measured(bench: Bench, parts: VastParts, steps: readonly VastStep[]): Promise<string> {
  const { size, data } = bench.disks.vastSizes(parts);
  const name = `${size / GIB} GiB with ${Math.round(data / MIB)} MiB`;
  if (secondsOf(bench, name, 'first backup') === undefined) await vastRun(bench, name, parts, steps);
  return name;
}

function secondsOf({ figures }: Bench, disk: string, what: VastStep): number | undefined {
  return medianOf(figures, { disk, who: OURS, what });
}
