import { appendFile, copyFile, mkdir, rename, stat, utimes } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { closeSources, openSources, recentOn } from '../../src/jobs/source-disks.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { rawDisk } from '../support/vault-bench.ts';
import { buildChain } from '../support/vhd-chain.ts';
import { link } from '../support/vhd-program.ts';

const folder = tempFolder();
const NOW = Date.UTC(2026, 0, 1);

/** Stands still, and tells how long it was asked to sleep. */
function stillClock(asleep: () => Promise<unknown> = async () => undefined): Clock & { slept: number[] } {
  const slept: number[] = [];
  return {
    slept,
    now: () => NOW,
    monotonic: () => 0,
    async sleep(milliseconds) {
      slept.push(milliseconds);
      await asleep();
    },
  };
}

async function chain(): Promise<{ paths: string[]; disk: NamedDisk }> {
  const home = folder.fresh('chain');
  await mkdir(home);
  const { paths } = await buildChain(home, [link('dynamic'), link('differencing'), link('differencing')]);
  for (const path of paths) await touched(path, 60_000);
  return { paths, disk: { name: 'os', address: { kind: 'file', path: paths.at(-1) as string } } };
}

const touched = (path: string, ago: number): Promise<void> => utimes(path, NOW / 1000, (NOW - ago) / 1000);

describe('a source', () => {
  it('is not waited for when no file of its chain changed just now', async () => {
    const { disk } = await chain();
    const clock = stillClock();
    await closeSources(await openSources([disk], clock));
    expect(clock.slept).toEqual([]);
  });

  it.each([0, 1, 2])('is waited for once when file %i of its chain changed just now', async (n) => {
    const { paths, disk } = await chain();
    await touched(paths[n] as string, 5);
    const clock = stillClock();
    const [source] = await openSources([disk], clock);
    expect(clock.slept).toEqual([recentOn(undefined)]);
    expect(source?.generation).toHaveLength(3);
    await closeSources([source!]);
  });

  it('is waited for when the time of its change was put back just now', async () => {
    const disk = await rawDisk(folder.fresh('raw'), new Uint8Array(4096));
    const { path } = disk.address;
    await touched(path, 60_000);
    const { ctimeMs } = await stat(path);
    const clock = { ...stillClock(), now: () => ctimeMs + 5 };
    await closeSources(await openSources([disk], clock));
    expect(clock.slept).toEqual([recentOn(undefined)]);
  });

  it('that grew during the wait is seen as it is after it', async () => {
    const disk = await rawDisk(folder.fresh('raw'), new Uint8Array(4096));
    const { path } = disk.address;
    await touched(path, 5);
    const clock = stillClock(async () => {
      await appendFile(path, new Uint8Array(512));
      await touched(path, 5);
    });
    const [source] = await openSources([disk], clock);
    expect(source?.disk.size).toBe(4608);
    expect(await source?.disk.generation()).toEqual(source?.generation);
    expect(clock.slept).toHaveLength(1);
    await closeSources([source!]);
  });

  it('that is replaced during the wait is refused, and all disks are closed', async () => {
    const first = await rawDisk(folder.fresh('raw'), new Uint8Array(4096), 'first');
    const { paths, disk } = await chain();
    await touched(first.address.path, 60_000);
    await touched(paths[0] as string, 5);
    const [parent] = paths as [string];
    const clock = stillClock(async () => {
      await copyFile(parent, `${parent}.new`);
      await rename(`${parent}.new`, parent);
    });
    await expect(openSources([first, disk], clock)).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('is waited for longer where file times are coarse', () => {
    for (const coarse of [0x4d44, 0x2011bab0, 0x517b, 0xff534d42, 0xfe534d42, 0x6969])
      expect(recentOn(coarse)).toBe(2000);
    for (const fine of [0xef53, 0x01021994, 0x58465342, undefined]) expect(recentOn(fine)).toBe(20);
  });
});
