import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, createVault, openDisk, openVault } from '../../../src/index.ts';
import { type Bench, inRounds, type PartResult } from '../bench-run.ts';
import { OURS, vhdvault } from '../contenders.ts';
import { medianOf, record } from '../figures.ts';
import { timesOf } from '../goals.ts';
import { markdownTable, secondsText } from '../markdown.ts';
import { perform, readThrough } from '../measure.ts';

const CHUNK = 2 * 1024 * 1024;
const DISK = 'four disks';
const WAYS = { one: 'as one disk', four: 'as four disks' };

/** Part `four`: the data of S as one raw disk, and cut into four that are backed up at once. */
export async function fourPart(bench: Bench): Promise<PartResult> {
  const { one, four } = await cutInFour(bench);
  const ways = { one: [`all=${one}`], four: four.map((path, n) => `disk${n}=${path}`) };
  await inRounds(bench, async ({ title, isMeasured }) => {
    for (const [way, words] of Object.entries(ways)) {
      for (const path of [one, ...four]) await readThrough(path);
      const seconds = await firstBackup(bench, words);
      console.log(`${WAYS[way as keyof typeof WAYS]}, ${title}: ${seconds.seconds.toFixed(2)} s`);
      if (isMeasured) record(bench.figures, { disk: DISK, who: OURS, what: way }, seconds);
    }
  });
  const standing = await halfWay(bench, ways.four);
  const of = (what: string): number | undefined => medianOf(bench.figures, { disk: DISK, who: OURS, what });
  return {
    lines: [
      ...['', '## Four disks at once', ''],
      ...markdownTable(
        ['', 'seconds'],
        Object.entries(WAYS).map(([way, title]) => [title, secondsText(of(way))]),
        'lr',
      ),
      ...['', standingText(standing)],
    ],
    goals: [
      timesOf('four disks at once', 'the same bytes as one disk', { theirs: of('one'), ours: of('four'), limit: 1.1 }),
    ],
  };
}

async function cutInFour({ disks, folder }: Bench): Promise<{ one: string; four: string[] }> {
  const source = await disks.machine('dynamic');
  await using disk = await openDisk(source.path);
  const places: number[] = [];
  for await (const { offset, length, kind } of disk.extents()) {
    if (kind === 'zero') continue;
    for (let at = offset; at + CHUNK <= offset + length; at += CHUNK) places.push(at);
  }
  const each = Math.floor(places.length / 4);
  const one = join(folder, 'all.raw');
  const four = Array.from({ length: 4 }, (_, n) => join(folder, `quarter-${n}.raw`));
  await using whole = await open(one, 'w');
  const chunk = Buffer.alloc(CHUNK);
  for (const [n, path] of four.entries()) {
    await using part = await open(path, 'w');
    for (const place of places.slice(n * each, (n + 1) * each)) {
      await disk.read(place, chunk);
      await whole.write(chunk);
      await part.write(chunk);
    }
  }
  return { one, four };
}

async function firstBackup(
  { bin, folder }: Bench,
  disks: readonly string[],
): Promise<{ seconds: number; peak: number }> {
  const [ours, home] = [vhdvault(bin), join(folder, 'four')];
  await mkdir(home);
  try {
    await perform(ours.calls.init?.({ home, disk: '', target: '' }) ?? [], ours.env(home));
    const words = [bin, 'backup', 'bench', ...disks];
    return await perform([{ program: process.execPath, words }], ours.env(home));
  } finally {
    await rm(home, { recursive: true });
  }
}

/** Progress is told ten times a second: a quick run may be over before the second time. */
function standingText(standing: readonly number[]): string {
  if (standing.every((percent) => percent === 100)) return 'Over too soon to see whether a disk waits for the others.';
  return `When half of all was read, the disks were at ${standing.join(', ')} %.`;
}

/** Percent of each disk that is behind us when half of all is: a run of its own, in this process, which nobody times. */
async function halfWay({ folder }: Bench, disks: readonly string[]): Promise<number[]> {
  const home = join(folder, 'half-way');
  const options = { passphrase: 'of a bench', cache: join(home, 'cache'), state: join(home, 'state') };
  await createVault(join(home, 'vault'), options);
  let found: number[] | undefined;
  {
    await using session = await openVault(join(home, 'vault'), options);
    await backup(session, 'bench', [...disks], {
      onProgress: ({ done, total, disks }) => {
        if (done * 2 >= total) found ??= disks.map((disk) => Math.round((disk.done / disk.size) * 100));
      },
    });
  }
  await rm(home, { recursive: true });
  return found ?? [];
}
