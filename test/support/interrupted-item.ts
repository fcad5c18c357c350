import { createHash } from 'node:crypto';
import { createReadStream, readdirSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { openPoint, openVault, points, type VaultSession } from '../../src/index.ts';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { type StartedRun, seenBeforeEnd, startCli } from './started-run.ts';

const MIB = 1024 * 1024;
/** More than two packs, one of each of two threads: some are stored before a run of one half ends. */
const HALF = 80 * MIB;
const PACK = /^[0-9a-f]{64}$/;
const OPEN_PART = /^(part-[0-9a-f]+-)?(pack|segment|entry)-[0-9a-f]+$/;

/** What lies in the vault's staging folder. */
export interface Left {
  locations: string[];
  /** Packs that the interrupted run stored: named in its location, and there. */
  captured: number;
}

/** An item with one disk of noise, whose backups are interrupted, and what was saved of it. */
export interface InterruptedItem {
  env: Readonly<Record<string, string>>;
  /** The file that is backed up. */
  disk: string;
  /** Point to hash of what it must restore to, oldest first. */
  saved: Map<string, string>;
  /** Writes new noise over one half of the disk. */
  change(): Promise<void>;
  /** Somebody else wrote to the disk. */
  hashAgain(): Promise<void>;
  start(...words: string[]): StartedRun;
  /** A run that nobody interrupts; true: it went on with one that was. */
  finish(as: 'text' | 'JSON'): Promise<boolean>;
  left(): Left;
  /** Waits until a run has stored a pack; false if it ends before. */
  hasStored(run: StartedRun): Promise<boolean>;
  /** Empty where there is none. */
  locks(): string;
  /** Waits until a run has its lock; false if it ends before. */
  hasBegun(run: StartedRun): Promise<boolean>;
  /** Staging, locks, cache and vault are as an interrupted run may leave them, and the points are whole. */
  checkLeft(killed: boolean): Promise<void>;
  /** Takes new points of the log for saved ones, of the disk as it is now; returns how many. */
  lookForPoints(): Promise<number>;
  checkPoint(point: string): Promise<void>;
  /** By the program, the latest point. */
  restore(): Promise<void>;
}

export async function interruptedItem(home: string, env: Readonly<Record<string, string>>): Promise<InterruptedItem> {
  const disk = join(home, 'disk.raw');
  const vault = env.VHDVAULT_VAULT!;
  const saved = new Map<string, string>();
  let version = 0;
  let content = '';
  let before = { locks: '', captured: 0 };
  const run = (...words: string[]): Promise<Ended> => runCli(words, env);
  const list = (...names: string[]): string[] => readdirSync(join(vault, ...names));

  async function change(): Promise<void> {
    await using file = await open(disk, version === 0 ? 'w' : 'r+');
    for (const half of version === 0 ? [0, 1] : [version % 2])
      await file.write(noise(version * 2 + half + 1, HALF), 0, HALF, half * HALF);
    version++;
    await hashAgain();
  }

  async function hashAgain(): Promise<void> {
    content = await hashOf(disk);
  }

  function start(...words: string[]): StartedRun {
    before = { locks: locks(), captured: left().captured };
    const threads = words.includes('--threads') ? [] : ['--threads', '2'];
    return startCli(['backup', 'box', `disk=${disk}`, ...threads, ...words], env);
  }

  async function finish(as: 'text' | 'JSON'): Promise<boolean> {
    const ended = await start(...(as === 'JSON' ? ['--json'] : [])).ended;
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ exitCode: 0 });
    expect([list('staging'), list('locks')]).toEqual([[], []]);
    expect(await lookForPoints()).toBe(1);
    if (as === 'text')
      return /^note: went on with the run of .* that was interrupted: .* were there from it$/m.test(ended.stdout);
    return (JSON.parse(ended.stdout).resumed?.bytes ?? 0) > 0;
  }

  function left(): Left {
    const locations = list('staging');
    const names = locations.flatMap((location) => list('staging', location));
    const packs = names.flatMap((name) => (name.startsWith('captured-') ? name.slice('captured-'.length) : []));
    for (const pack of packs) expect(pack).toMatch(PACK);
    return { locations, captured: packs.filter((pack) => list('packs', pack.slice(0, 2)).includes(pack)).length };
  }

  // The lock of a run that was killed is there already, and what is looked at may go in the same moment.
  const locks = (): string =>
    list('locks')
      .map((name) => `${name} ${statSync(join(vault, 'locks', name)).ino}`)
      .join();
  const hasBegun = (started: StartedRun): Promise<boolean> =>
    seenBeforeEnd(started, () => calmly(() => !['', before.locks].includes(locks())));
  const hasStored = async (started: StartedRun): Promise<boolean> =>
    (await hasBegun(started)) && (await seenBeforeEnd(started, () => calmly(() => left().captured > before.captured)));

  async function checkLeft(killed: boolean): Promise<void> {
    const { locations } = left();
    const jobs = locations.filter((name) => name.startsWith('AzureBackup-'));
    // A location gets its name when its journal is in it, so a kill may also leave one that has none yet.
    expect(killed ? jobs : locations).toHaveLength(Math.min(jobs.length, 1));
    for (const location of jobs) {
      const others = list('staging', location).filter((name) => name !== 'journal' && !name.startsWith('captured-'));
      for (const name of others)
        expect({ name, killed: true }).toEqual({ name: expect.stringMatching(OPEN_PART), killed });
      expect(list('staging', location)).toContain('journal');
    }
    if (!killed) expect([list('locks'), unfinished(env.VHDVAULT_CACHE!)]).toEqual([[], []]);
    const verified = await run('verify', '--json');
    expect(verified, verified.stdout).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true });
    await checkPoint([...saved.keys()].at(-1)!);
  }

  // In this process and with a cache of its own: a second opinion, and quicker.
  function judge(): Promise<VaultSession> {
    const places = { cache: join(home, 'judge', 'cache'), state: join(home, 'judge', 'state') };
    return openVault(vault, { keyFile: env.VHDVAULT_KEY_FILE, threads: 1, ...places });
  }

  async function lookForPoints(): Promise<number> {
    await using session = await judge();
    const found = (await points(session)).points.filter(({ point }) => !saved.has(point));
    for (const { point } of found) saved.set(point, content);
    return found.length;
  }

  async function checkPoint(point: string): Promise<void> {
    await using session = await judge();
    await using restored = await openPoint(session, `box@${point}`);
    const hash = createHash('sha256');
    const bytes = new Uint8Array(8 * MIB);
    for (let at = 0; at < restored.size; at += bytes.byteLength) {
      await restored.read(at, bytes);
      hash.update(bytes);
    }
    expect(hash.digest('hex'), point).toBe(saved.get(point));
  }

  async function restore(): Promise<void> {
    const to = join(home, 'restored.raw');
    expect(await run('restore', 'box', '--to', to)).toMatchObject({ exitCode: 0 });
    expect(await hashOf(to)).toBe([...saved.values()].at(-1));
    await rm(to);
  }

  await change();
  return {
    ...{ env, disk, saved, change, hashAgain, start, finish, left, locks, hasBegun, hasStored },
    ...{ checkLeft, lookForPoints, checkPoint, restore },
  };
}

function calmly(look: () => boolean): boolean {
  try {
    return look();
  } catch {
    return false;
  }
}

/** Overlays, and tables that have the name of a job at their end. */
function unfinished(cache: string): string[] {
  return readdirSync(cache).flatMap((vault) => [
    ...readdirSync(join(cache, vault, 'jobs')),
    ...readdirSync(join(cache, vault, 'tables')).filter((name) => name.includes('.')),
  ]);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
  return hash.digest('hex');
}
