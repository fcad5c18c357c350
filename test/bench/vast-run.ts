import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { noise } from '../../fixtures/noise.ts';
import { openWritable } from '../../src/index.ts';
import type { VastDisk, VastParts } from './bench-disks.ts';
import type { Bench } from './bench-run.ts';
import { OURS, vhdvault } from './contenders.ts';
import { record } from './figures.ts';
import { perform } from './measure.ts';

const BLOCK = 128 * 1024;
const IMAGE_BLOCK = 2 * 1024 * 1024;
/** Blocks of the vault that change; each is 128 KiB. */
export const CHANGES = { few: 16, many: 512 };

/** What is done with a vast disk, in this order. */
export const VAST_STEPS = [
  'first backup',
  'second, nothing changed',
  'few changed',
  'diff, few changed',
  'many changed',
  'diff, many changed',
  'restore',
  'verify all data',
  'forget all but one and gc',
] as const;
export type VastStep = (typeof VAST_STEPS)[number];

/** Does all of it once, with two threads, and records it under `name`. */
export async function vastRun(bench: Bench, name: string, parts: VastParts, steps: readonly VastStep[]): Promise<void> {
  const disk = await bench.disks.vast(parts);
  const ours = vhdvault(bench.bin);
  const home = join(bench.folder, 'vast');
  await mkdir(home);
  const run = async (words: readonly string[]): Promise<{ seconds: number; peak: number; stdout: string }> =>
    await perform([{ program: process.execPath, words: [bench.bin, ...words] }], ours.env(home));
  const points: string[] = [];
  const backup = async (): Promise<{ seconds: number; peak: number }> => {
    const figure = await run(['backup', 'bench', `disk=${disk.path}`, '--json', '--threads', '2']);
    points.push((JSON.parse(figure.stdout) as { point: string }).point);
    return figure;
  };
  const changed = async (count: number): Promise<{ seconds: number; peak: number }> => {
    await change(disk, count);
    return await backup();
  };
  const diff = (): Promise<{ seconds: number; peak: number }> =>
    run(['diff', ...points.slice(-2).map((point) => `bench@${point}`), '--threads', '2']);
  const target = join(home, 'restored.vhd');
  const gc = ['--gc', '--soft-delete', '0s', '--grace', '0s', '--threads', '2'];
  const work: Record<VastStep, () => Promise<{ seconds: number; peak: number }>> = {
    'first backup': backup,
    'second, nothing changed': backup,
    'few changed': () => changed(CHANGES.few),
    'diff, few changed': diff,
    'many changed': () => changed(CHANGES.many),
    'diff, many changed': diff,
    restore: () => run(['restore', 'bench', '--to', target, '--threads', '2']),
    'verify all data': () => run(['verify', '--read-data', '--threads', '2']),
    'forget all but one and gc': () => run(['forget', 'bench', '--keep-last', '1', ...gc]),
  };
  try {
    await run(['init']);
    for (const what of VAST_STEPS.filter((step) => steps.includes(step))) {
      const { seconds, peak } = await work[what]();
      record(bench.figures, { disk: name, who: OURS, what }, { seconds, peak });
      console.log(`${name}, ${what}: ${seconds.toFixed(2)} s, ${Math.round(peak / 2 ** 20)} MiB`);
      if (what === 'restore') await rm(target);
    }
  } finally {
    await rm(home, { recursive: true });
    await rm(disk.path);
  }
}

/** Other bytes in so many blocks, all over what the disk stores. */
async function change({ path, size, data }: VastDisk, count: number): Promise<void> {
  await using disk = await openWritable(path);
  const [every, stored] = [Math.floor(size / data), Math.floor(data / IMAGE_BLOCK)];
  for (let n = 0; n < count; n++) {
    const place = Math.floor((n * stored) / count) * every * IMAGE_BLOCK + (n % 16) * BLOCK;
    await disk.write(place, noise(1000 * count + n, BLOCK));
  }
}
