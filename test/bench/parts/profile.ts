import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bench, PartResult } from '../bench-run.ts';
import { vhdvault } from '../contenders.ts';
import { markdownTable } from '../markdown.ts';
import { perform, readThrough } from '../measure.ts';
import { PARTS, type Profiled, readProfiles } from '../profile-parts.ts';

const VERBS = { first: 'first backup', again: 'again', restore: 'restore', verify: 'verify' } as const;

type VerbProfile = Profiled & { title: string; seconds: number };

/** Part `profile`: where the time of each verb goes, by the sampling profiler of V8, in the main thread and the workers. */
export async function profilePart(bench: Bench): Promise<PartResult> {
  const disk = (await bench.disks.machine('dynamic')).path;
  const ours = vhdvault(bench.bin);
  const home = join(bench.folder, 'profile');
  const place = { home, disk, target: join(home, 'restored') };
  await mkdir(place.target, { recursive: true });
  const profiles: VerbProfile[] = [];
  try {
    await perform(ours.calls.init?.(place) ?? [], ours.env(home));
    for (const verb of Object.keys(VERBS) as (keyof typeof VERBS)[]) {
      await readThrough(disk);
      const folder = join(home, `profile-${verb}`);
      const options = ['--cpu-prof', '--cpu-prof-interval', '500', '--cpu-prof-dir', folder];
      const calls = (ours.calls[verb]?.(place) ?? []).map((call) => ({ ...call, words: [...options, ...call.words] }));
      const { seconds } = await perform(calls, ours.env(home));
      profiles.push({ title: VERBS[verb], seconds, ...(await readProfiles(folder)) });
    }
  } finally {
    await rm(home, { recursive: true });
  }
  return { lines: profileLines(profiles), goals: [] };
}

/** Percent of the time of the main thread, and of all workers together. */
function profileLines(profiles: readonly VerbProfile[]): string[] {
  const threads = profiles.flatMap(({ title, main, workers }) => [
    { title: `${title}: main`, parts: main },
    { title: 'workers', parts: workers },
  ]);
  const rows = PARTS.map((part) => [part, ...threads.map(({ parts }) => percent(parts.get(part), parts))]);
  const seconds = profiles.map(({ title, seconds }) => `${title} ${seconds.toFixed(2)}`).join(', ');
  return [
    ...['', '## Where the time goes: S dynamic', ''],
    `Percent of the samples of V8's profiler, which slows everything a little (seconds: ${seconds}). A thread that waits, also for what other threads of Node read, write or make durable for it, is waiting.`,
    ...['', ...markdownTable(['', ...threads.map(({ title }) => title)], rows, `l${'r'.repeat(threads.length)}`)],
    ...[
      '',
      `Unmapped, the most of other: ${profiles.map(({ title, unmapped }) => `${title}: ${unmapped.join(', ')}`).join('; ')}.`,
    ],
  ];
}

function percent(value: number | undefined, parts: ReadonlyMap<string, number>): string {
  const all = [...parts.values()].reduce((sum, one) => sum + one, 0);
  return value === undefined || all === 0 ? '' : ((value / all) * 100).toFixed(1);
}
