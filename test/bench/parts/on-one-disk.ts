import type { BenchDisk } from '../bench-disks.ts';
import type { Bench, PartResult } from '../bench-run.ts';
import { OURS } from '../contenders.ts';
import { type DiskStep, diskRounds, YARDSTICK } from '../disk-rounds.ts';
import { largestOf, medianOf } from '../figures.ts';
import { besides, markdownTable, mebibytes, megabytes, secondsText } from '../markdown.ts';
import { diskGoals } from './disk-goals.ts';

const TITLES: Record<string, string> = {
  first: 'first backup',
  again: 'second, nothing changed',
  incremental: 'incremental, scattered changes',
  restore: 'restore',
  'restore fixed': 'restore as a fixed VHD (sparse)',
  verify: 'verify all data',
};
const ROWS = Object.keys(TITLES);

/** Parts `first`, `again`, `incremental`, `restore` and `verify`: what is done with one disk and one repository. */
export async function onOneDisk(bench: Bench, steps: readonly DiskStep[]): Promise<PartResult> {
  const result: PartResult = { lines: [], goals: [] };
  for (const name of bench.diskNames) {
    const disk = await bench.disks.machine(name);
    await diskRounds(bench, disk, steps);
    result.lines.push('', `## ${disk.title}`, '', ...diskTable(bench, disk), '', ...yardstickLines(bench, disk));
    result.goals.push(...diskGoals(bench, { name, disk }).filter(isAsked(steps)));
  }
  return result;
}

function isAsked(steps: readonly DiskStep[]): (goal: { step: DiskStep }) => boolean {
  return ({ step }) => steps.includes(step);
}

function diskTable({ figures, contenders }: Bench, { name: disk }: BenchDisk): string[] {
  const has = (who: string, what: string): boolean => medianOf(figures, { disk, who, what }) !== undefined;
  const names = contenders.map(({ name }) => name).filter((who) => ROWS.some((what) => has(who, what)));
  const found = (what: string): boolean => names.some((who) => has(who, what));
  const row = (
    what: string,
    title: string,
    field: 'seconds' | 'stored',
    text: (value?: number) => string,
  ): string[] => {
    const own = medianOf(figures, { disk, who: OURS, what }, field);
    const cell = (who: string): string => {
      const value = medianOf(figures, { disk, who, what }, field);
      return who === OURS ? text(value) : besides(text(value), value, own);
    };
    return [title, ...names.map(cell)];
  };
  const peak = (what: string): string[] => [
    `memory, ${TITLES[what]}`,
    ...names.map((who) => mebibytes(largestOf(figures, { disk, who, what }, 'peak'))),
  ];
  const rows = ROWS.filter(found);
  const storing = rows.filter((what) => what === 'first' || what === 'incremental');
  return markdownTable(
    ['', ...names],
    [
      ...rows.map((what) => row(what, TITLES[what] as string, 'seconds', secondsText)),
      ...storing.map((what) => row(what, `stored, ${TITLES[what]}`, 'stored', megabytes)),
      ...rows.map(peak),
    ],
  );
}

function yardstickLines({ figures }: Bench, { name: disk }: BenchDisk): string[] {
  const told = Object.values(YARDSTICK).flatMap((what) => {
    const seconds = medianOf(figures, { disk, who: '', what });
    return seconds === undefined ? [] : [`${what} ${seconds.toFixed(2)}`];
  });
  return told.length > 0 ? [`For comparison, seconds: ${told.join('; ')}.`] : [];
}
