import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock, steadyClock } from '../../src/base/clock.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import type { ClockTrust } from '../../src/jobs/types.ts';
import { clockDoubt } from '../../src/vault/seen-head.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder();
const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 0, 1);
const at = (wall: number, uptime: number, boot = 'a'): Parameters<typeof clockDoubt>[1] => ({ wall, boot, uptime });

describe('the clock of a machine', () => {
  it('is doubted when it is more than a day behind the newest entry', () => {
    expect(clockDoubt(undefined, at(NOW - 23 * HOUR, 0), NOW)).toBeUndefined();
    expect(clockDoubt(undefined, at(NOW - 25 * HOUR, 0), NOW)).toContain('before the newest entry');
  });

  it('is doubted when it moved a day more than time did since the last run', () => {
    const seen = at(NOW, 10 * HOUR);
    expect(clockDoubt(seen, at(NOW + 33 * HOUR, 20 * HOUR), NOW)).toBeUndefined();
    expect(clockDoubt(seen, at(NOW + 35 * HOUR, 20 * HOUR), NOW)).toContain('1 day more');
    expect(clockDoubt(seen, at(NOW + 1000 * HOUR, 1010 * HOUR), NOW)).toBeUndefined();
  });

  it('is not judged across a restart, nor where the machine does not tell its starts', () => {
    const seen = at(NOW, 10 * HOUR);
    expect(clockDoubt(seen, at(NOW + 1000 * HOUR, 1 * HOUR, 'b'), NOW)).toBeUndefined();
    expect(clockDoubt({ ...seen, boot: '' }, at(NOW + 1000 * HOUR, 11 * HOUR, ''), NOW)).toBeUndefined();
    expect(clockDoubt(undefined, at(NOW + 1000 * HOUR, 11 * HOUR), NOW)).toBeUndefined();
  });
});

describe('the clock of a run', () => {
  const steady = (): { wall: number; clock: Clock } => {
    const at = { wall: NOW, clock: undefined as unknown as Clock };
    at.clock = steadyClock({ now: () => at.wall, monotonic: () => 0, sleep: async () => undefined });
    return at;
  };
  it('goes with the wall clock', () => {
    const at = steady();
    at.wall += HOUR / 2;
    expect(at.clock.now()).toBe(NOW + HOUR / 2);
  });

  it.each([-3650 * 24, -2, 2, 3650 * 24])('passes over that it is set meanwhile, by %i hours', (hours) => {
    const at = steady();
    at.wall += hours * HOUR;
    expect(Math.abs(at.clock.now() - NOW)).toBeLessThan(HOUR / 60);
  });
});

describe('a session', () => {
  const clockAt = (wall: number): Clock => ({ now: () => wall, monotonic: () => 0, sleep: async () => undefined });
  async function newBench(): Promise<VaultBench> {
    const bench = await openBench(folder.fresh('clock'));
    await mkdir(bench.folder, { recursive: true });
    return bench;
  }
  async function doubtAt(bench: VaultBench, wall: number, trust?: ClockTrust): Promise<string | undefined> {
    await using session = await bench.open({ parts: { clock: clockAt(wall) } });
    if (trust) await session.rememberHead(trust);
    return session.clockDoubt;
  }

  it('doubts a clock that jumped until it is right again', async () => {
    const bench = await newBench();
    expect(await doubtAt(bench, NOW + HOUR)).toBeUndefined();
    for (let n = 0; n < 3; n++) expect(await doubtAt(bench, NOW + 100 * HOUR, {})).toContain('4 days more');
    expect(await doubtAt(bench, NOW + 2 * HOUR)).toBeUndefined();
  });

  it('doubts a clock that jumped until somebody says that it is right', async () => {
    const bench = await newBench();
    expect(await doubtAt(bench, NOW + 100 * HOUR, { acceptClock: false })).toContain('4 days more');
    expect(await doubtAt(bench, NOW + 100 * HOUR, { acceptClock: true })).toContain('4 days more');
    expect(await doubtAt(bench, NOW + 100 * HOUR)).toBeUndefined();
  });

  it('that backs up says so each time, and others forget nothing by its clock, until somebody says that it is right', async () => {
    const bench = await newBench();
    const parts = { clock: clockAt(NOW + 100 * HOUR) };
    const disk = await rawDisk(join(bench.folder, 'os'), noise(1024, 1));
    const warnings: string[][] = [];
    for (const acceptClock of [false, false, true, false]) {
      await using session = await bench.open({ parts });
      const doubted = warnings.length < 3;
      const forgotten = forget(session, { rules: { last: 1 } });
      if (doubted) await expect(forgotten).rejects.toMatchObject({ code: 'CLOCK_DOUBTED' });
      else expect(await forgotten).toMatchObject({ dryRun: false });
      warnings.push((await backup(session, 'web', [disk], { acceptClock })).warnings);
    }
    const warned = [expect.stringMatching(/4 days more .*: set it if it is wrong; if it is right, .* --accept-clock$/)];
    expect(warnings).toEqual([warned, warned, [], []]);
  });

  it('doubts a clock that is behind the vault', async () => {
    expect(await doubtAt(await newBench(), NOW - 48 * HOUR)).toContain('before the newest entry');
  });

  it.each(['', 'no JSON', '{"vault":1}', '[]', 'null'])(
    'tells when the record of the last head is broken (%j), and makes a new one',
    async (broken) => {
      const bench = await newBench();
      for (const name of await readdir(bench.state)) await writeFile(join(bench.state, name), broken);
      const notices: string[] = [];
      const onNotice = (text: string): void => void notices.push(text);
      for (let n = 0; n < 2; n++) await (await bench.open({ onNotice }))[Symbol.asyncDispose]();
      expect(notices).toEqual([expect.stringContaining('would not be noticed this time')]);
    },
  );

  it('takes a record without a time, as earlier versions wrote it', async () => {
    const bench = await newBench();
    for (const name of await readdir(bench.state)) {
      const { time: _, ...rest } = JSON.parse(await readFile(join(bench.state, name), 'utf8'));
      await writeFile(join(bench.state, name), JSON.stringify(rest));
    }
    const notices: string[] = [];
    await using session = await bench.open({ onNotice: (text) => notices.push(text) });
    expect([session.clockDoubt, notices]).toEqual([undefined, []]);
  });

  it('uses a temporary cache when its own is there and cannot be written', async () => {
    const bench = await newBench();
    const [id] = (await readdir(bench.cache)) as [string];
    const notices: string[] = [];
    // A folder has the name of the probe: even root, whom no permission stops, cannot write it.
    await mkdir(join(bench.cache, id, '.probe'));
    await using session = await bench.open({ onNotice: (text) => notices.push(text) });
    expect(session.cache.startsWith(bench.cache)).toBe(false);
    expect(notices).toEqual([expect.stringContaining('a temporary one is used')]);
  });
});
