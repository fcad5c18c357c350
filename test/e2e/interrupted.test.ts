import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { runCli } from '../cli/run-cli.ts';
import { type InterruptedItem, interruptedItem } from '../support/interrupted-item.ts';
import { canMount, type Mount, mountMemory } from '../support/mounts.ts';
import { programHome } from '../support/program-home.ts';
import { seenBeforeEnd } from '../support/started-run.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;
const LARGE = 4096 * MIB;
const ROUNDS = process.env.VHDVAULT_LONG === '1' ? 12 : 8;
/** Each with a vault of its own, which grows with every round. `npm run test:long` has more of them. */
const SAGAS = process.env.VHDVAULT_LONG === '1' ? Math.ceil(100 / ROUNDS) : 1;
const SEED = Number(process.env.VHDVAULT_SEED ?? Date.now() % 1_000_000);
const WAYS = ['SIGINT', 'SIGKILL', 'SIGTERM', 'full', 'SIGHUP'] as const;
/** The next run tells people that it goes on, and programs: in these rounds there is something to go on with. */
const CERTAIN = [5, 7];
const EXITS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129, full: 15 } as const;

type Way = (typeof WAYS)[number];

interface Scene extends Disposable {
  item: InterruptedItem;
  disk: Mount | undefined;
  vault: string;
}

/** An item whose vault is in a file system of its own, where that can be made. */
async function newItem(name: string): Promise<Scene> {
  const home = folder.fresh(name);
  const env = await programHome(home);
  const place = join(home, 'place');
  const disk = canMount ? mountMemory(place, LARGE) : undefined;
  const vault = join(place, 'vault');
  const settings = { ...env, VHDVAULT_VAULT: vault };
  expect(await runCli(['init', '--compression', 'none'], settings)).toMatchObject({ exitCode: 0 });
  const item = await interruptedItem(home, settings);
  return { item, disk, vault, [Symbol.dispose]: () => disk?.[Symbol.dispose]() };
}

/** Numbers from 0 to 1, the same for the same seed. */
function fractions(seed: number): () => number {
  let x = (seed * 2654435761 + 1) >>> 0 || 1;
  return () => {
    x ^= x << 13;
    x >>>= 0;
    x ^= x >>> 17;
    x ^= x << 5;
    x >>>= 0;
    return x / 2 ** 32;
  };
}

describe('a backup that is interrupted', () => {
  it.each(Array.from({ length: SAGAS }, (_, saga) => SEED + saga))(
    'at any moment, in any way, hurts nothing, and the next run goes on with what it had stored (VHDVAULT_SEED=%i)',
    async (seed) => {
      using scene = await newItem(`saga-${seed}`);
      const { item } = scene;
      const begun = performance.now();
      await item.finish('JSON');
      const chance = { random: fractions(seed), whole: performance.now() - begun };
      const resumed = { text: 0, JSON: 0 };
      for (let round = 0; round < ROUNDS; round++) {
        await playRound(scene, round, chance, resumed).catch((error: unknown) => {
          const place = `round ${round}, ${wayOf(round)}, VHDVAULT_SEED=${seed}`;
          throw new Error(`${place}: ${(error as Error).message}`, { cause: error });
        });
      }
      // Both were really seen.
      expect(Math.min(resumed.text, resumed.JSON)).toBeGreaterThan(0);
      for (const point of item.saved.keys()) await item.checkPoint(point);
      await item.restore();
      expect(await runCli(['verify', '--read-data', '--json'], item.env)).toMatchObject({ exitCode: 0 });
    },
    300_000,
  );
});

interface Chance {
  random: () => number;
  /** Milliseconds that a whole run takes. */
  whole: number;
}

/** One interruption; after every second one a whole run, so that what goes on is interrupted, too. */
async function playRound(
  scene: Scene,
  round: number,
  chance: Chance,
  resumed: { text: number; JSON: number },
): Promise<void> {
  const { item } = scene;
  const way = wayOf(round);
  const isCertain = CERTAIN.includes(round);
  let isSaved: boolean;
  do {
    // Where there must be no room, nothing may be there from the run before.
    if (round % 2 === 0 || isCertain || way === 'full') await item.change();
    await interrupt(scene, way, { ...chance, isCertain });
    isSaved = (await item.lookForPoints()) > 0;
  } while (isCertain && isSaved);
  const { captured } = item.left();
  await item.checkLeft(way === 'SIGKILL');
  if (isSaved) await item.change();
  if (round % 2 === 0) return;
  const as = round % 4 === 1 ? 'text' : 'JSON';
  const wentOn = await item.finish(as);
  expect({ wentOn }).toEqual({ wentOn: captured > 0 && !isSaved });
  if (wentOn) resumed[as]++;
}

function wayOf(round: number): Way {
  const way = WAYS[round % WAYS.length]!;
  return way === 'full' && !canMount ? 'SIGTERM' : way;
}

/** Runs a backup and ends it, unless it was quicker; `isCertain`: not before it has stored something, of which there is more. */
async function interrupt({ item, disk }: Scene, way: Way, chance: Chance & { isCertain: boolean }): Promise<void> {
  const { random, whole, isCertain } = chance;
  if (way === 'full') return await fill(item, disk!, (30 + 45 * random()) * MIB);
  const started = item.start('--threads', isCertain ? '1' : '2');
  await (isCertain ? item.hasStored(started) : item.hasBegun(started));
  await Promise.race([started.ended, sleep(random() * (isCertain ? 50 : 0.8 * whole))]);
  started.child.kill(way);
  const { exitCode, signal, stdout, stderr } = await started.ended;
  // Node takes the handlers away shortly before it ends.
  if (exitCode === 0 || (signal === way && stdout !== '')) return;
  const expected = way === 'SIGKILL' ? { signal: way } : { exitCode: EXITS[way], signal: undefined };
  expect({ exitCode, signal }, stderr).toMatchObject(expected);
}

/** Leaves a run so many bytes of room, which is too little. */
async function fill(item: InterruptedItem, disk: Mount, room: number): Promise<void> {
  disk.leave(room);
  const ended = await item.start().ended;
  disk.leave(LARGE);
  expect(ended, ended.stderr).toMatchObject({ exitCode: EXITS.full, stderr: expect.stringContaining('[NO_SPACE]') });
}

describe('a run that is interrupted', () => {
  it('by a second Ctrl-C ends at once, by the signal, and the next one goes on', async () => {
    using scene = await newItem('impatient');
    const { item } = scene;
    await item.finish('text');
    await item.change();
    const [began, done] = ['began', 'done'].map((name) => join(scene.vault, '..', name)) as [string, string];
    const started = item.start('--threads', '1', '--post', `touch '${began}'; sleep 3; touch '${done}'`);
    expect(await item.hasStored(started)).toBe(true);
    started.child.kill('SIGINT');
    expect(await seenBeforeEnd(started, () => existsSync(began))).toBe(true);
    started.child.kill('SIGINT');
    expect(await started.ended).toMatchObject({ exitCode: undefined, signal: 'SIGINT' });
    expect(existsSync(done)).toBe(false);
    const { captured } = item.left();
    expect(captured).toBeGreaterThan(0);
    await item.checkLeft(true);
    expect(await item.finish('JSON')).toBe(true);
  });

  it('by the end of its terminal, with nobody left to read what it prints, ends as asked', async () => {
    using scene = await newItem('hung-up');
    const { item } = scene;
    for (const words of [['--progress', 'json'], ['--json']]) {
      const started = item.start('--threads', '1', ...words);
      expect(await item.hasStored(started)).toBe(true);
      started.child.stdout?.destroy();
      started.child.stderr?.destroy();
      started.child.kill('SIGHUP');
      expect(await started.ended).toMatchObject({ exitCode: 129, signal: undefined });
      expect(item.locks()).toBe('');
    }
    expect(await item.finish('text')).toBe(true);
  });

  it('by a change of its source says so, and the next one goes on with what was stored', async () => {
    using scene = await newItem('changed');
    const { item } = scene;
    const started = item.start('--threads', '1');
    expect(await item.hasStored(started)).toBe(true);
    {
      await using file = await open(item.disk, 'r+');
      await file.write(Buffer.from('changed'), 0, 7, 150 * MIB);
    }
    const ended = await started.ended;
    expect(ended).toMatchObject({ exitCode: 14, stderr: expect.stringContaining('[SOURCE_CHANGED]') });
    expect(item.left().captured).toBeGreaterThan(0);
    await item.hashAgain();
    expect(await item.finish('JSON')).toBe(true);
    await item.checkPoint([...item.saved.keys()].at(-1)!);
  });
});
