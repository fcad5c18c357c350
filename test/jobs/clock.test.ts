import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { clockDoubt } from '../../src/vault/seen-head.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench, type VaultBench } from '../support/vault-bench.ts';

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
    expect(clockDoubt(seen, at(NOW + 35 * HOUR, 20 * HOUR), NOW)).toContain('1 days more');
    expect(clockDoubt(seen, at(NOW + 1000 * HOUR, 1010 * HOUR), NOW)).toBeUndefined();
  });

  it('is not judged across a restart, nor where the machine does not tell its starts', () => {
    const seen = at(NOW, 10 * HOUR);
    expect(clockDoubt(seen, at(NOW + 1000 * HOUR, 1 * HOUR, 'b'), NOW)).toBeUndefined();
    expect(clockDoubt({ ...seen, boot: '' }, at(NOW + 1000 * HOUR, 11 * HOUR, ''), NOW)).toBeUndefined();
    expect(clockDoubt(undefined, at(NOW + 1000 * HOUR, 11 * HOUR), NOW)).toBeUndefined();
  });
});

describe('a session', () => {
  const clockAt = (wall: number): Clock => ({ now: () => wall, monotonic: () => 0, sleep: async () => undefined });
  async function newBench(): Promise<VaultBench> {
    const bench = await openBench(folder.fresh('clock'));
    await mkdir(bench.folder, { recursive: true });
    return bench;
  }
  async function doubtAt(bench: VaultBench, wall: number, mark = false): Promise<string | undefined> {
    await using session = await bench.open({ parts: { clock: clockAt(wall) } });
    if (mark) await session.rememberHead();
    return session.clockDoubt;
  }

  it('doubts a clock that jumped until a run has remembered the new time', async () => {
    const bench = await newBench();
    expect(await doubtAt(bench, NOW + HOUR)).toBeUndefined();
    for (let n = 0; n < 3; n++) expect(await doubtAt(bench, NOW + 100 * HOUR)).toContain('4 days more');
    expect(await doubtAt(bench, NOW + 100 * HOUR, true)).toContain('4 days more');
    expect(await doubtAt(bench, NOW + 100 * HOUR)).toBeUndefined();
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
