import { rmSync } from 'node:fs';
import { isError } from '../../src/base/errors.ts';
import { backUp, checkAllPoints, verifyAll } from './actions.ts';
import { damageSomething } from './damage.ts';
import { cutPower } from './disturbances.ts';
import type { Flaw } from './durable-files.ts';
import { checkGarbage, collectAll, QUARANTINED, repairAll } from './gc-actions.ts';
import { checkSecrets } from './key-actions.ts';
import type { SimProcess } from './process.ts';
import { forgetNamed } from './retention-actions.ts';
import { alone, start } from './runs.ts';
import { act } from './scenes.ts';
import { Violation } from './scheduler.ts';
import type { installSystem } from './simulated-system.ts';
import { count, initVault, makeWorld, type World } from './world.ts';

export interface SimulateOptions {
  system: ReturnType<typeof installSystem>;
  /** For this seed's cache, state and disks; removed at the end. */
  folder: string;
  flaw?: Flaw | undefined;
  /** false: the vault takes one writer at a time. */
  hasLinks?: boolean;
}

/** What one seed came to. */
export interface Outcome {
  seed: number;
  /** What was not as it must be; undefined when all was. */
  violation: string | undefined;
  /** Every step, in words. */
  trace: readonly string[];
  /** How often things happened, in words. */
  counts: ReadonlyMap<string, number>;
}

/** Lives through one world. The same seed always goes the same way. */
export async function simulate(
  seed: number,
  { system, folder, flaw, hasLinks = true }: SimulateOptions,
): Promise<Outcome> {
  const world = makeWorld(seed, folder, flaw);
  const { scheduler, processes, counts } = world;
  world.files.hasLinks = hasLinks && !world.draw.percent(10);
  system.use(scheduler);
  let violation: string | undefined;
  const rejected = (error: unknown): void => {
    violation ??= `a promise that nobody waits for failed: ${(error as Error).stack}`;
  };
  process.on('unhandledRejection', rejected);
  try {
    await live(world);
  } catch (error) {
    violation ??= error instanceof Violation ? error.message : `the simulator failed: ${(error as Error).stack}`;
  } finally {
    process.off('unhandledRejection', rejected);
    for (const left of processes) if (left.state === 'running') scheduler.kill(left);
    system.use(undefined);
    rmSync(folder, { recursive: true, force: true });
  }
  return { seed, violation, trace: scheduler.trace.map((line) => line.replaceAll(folder, '')), counts };
}

async function live(world: World): Promise<void> {
  const { draw, weather, machines, files } = world;
  weather.isCalm = true;
  if (!(await begin(world))) return;
  await act(world);
  weather.isCalm = true;
  files.capacity = Number.POSITIVE_INFINITY;
  if (draw.percent(40)) cutPower(world);
  // Whatever happened: the next run of every item needs no cure.
  for (const { name } of world.items) await alone(world, { name: 'backup', run: backUp }, { item: name });
  // Nothing was given up that it can find again.
  if (world.counts.has(QUARANTINED)) await alone(world, { name: 'repair', run: repairAll });
  await alone(world, { name: 'verify', run: verifyAll });
  for (const machine of machines) await alone(world, { name: 'check', run: checkAllPoints }, { machine });
  await alone(world, { name: 'secrets', run: checkSecrets });
  const isTidy = draw.percent(50);
  if (isTidy) await tidyUp(world);
  checkLeft(world, isTidy);
  const hung = world.processes.find(({ settled }) => !settled);
  if (hung) throw new Violation(`${hung.pid} ${hung.name} hangs where everything fails`);
  if (draw.percent(20)) await damageSomething(world);
}

/** Some points are given up, and gc frees all that they had for themselves, and harms nothing else. */
async function tidyUp(world: World): Promise<void> {
  await alone(world, { name: 'forget', run: forgetNamed });
  for (let n = 0; n < 2; n++) await alone(world, { name: 'gc', run: collectAll });
  await alone(world, { name: 'verify', run: verifyAll });
  await alone(world, { name: 'check', run: checkAllPoints });
  await alone(world, { name: 'garbage', run: checkGarbage });
}

/** Makes the vault; some die of it, and the next one takes over what they left. False: there is none. */
async function begin(world: World): Promise<boolean> {
  const { draw, scheduler } = world;
  for (let deaths = draw.one([0, 0, 0, 0, 0, 0, 1, 2]); deaths > 0; deaths--) {
    const victim = start(world, draw.one(world.machines), { name: 'init', run: initUnlessThere });
    const last = scheduler.step + draw.below(draw.one([70, 100]));
    await scheduler.run(() => victim.state !== 'running' || scheduler.step >= last);
    if (draw.percent(50)) cutPower(world);
    else if (victim.state === 'running') scheduler.kill(victim);
  }
  await alone(world, { name: 'init', run: initUnlessThere });
  if (!world.files.isThere('vault.json')) return false;
  if (draw.percent(10)) cutPower(world);
  return true;
}

/** Who died of it may have been done. */
async function initUnlessThere(world: World, process: SimProcess): Promise<void> {
  await initVault(world, process).catch((error: unknown) => {
    const isDone = world.processes.length > 1 && world.files.isThere('vault.json');
    if (!isDone || !isError(error, 'VAULT_EXISTS')) throw error;
  });
}

/** Nothing that a run needs only while it runs stays behind when all items were backed up again. */
function checkLeft(world: World, isTidy: boolean): void {
  const { files } = world;
  const locks = files.list('locks').filter((name) => !isLockPart(name));
  // Nobody knows whose a staging location without a journal is; one that has no job yet goes when the item's next job begins.
  const staging = files.list('staging').filter((name) => hasJournal(world, name));
  for (const _ of files.list('locks').filter(isLockPart)) count(world, 'left: part of a lock');
  for (const _ of files.list('staging').filter((name) => !hasJournal(world, name)))
    count(world, 'left: staging without a journal');
  // What a gc or a repair left goes with the next gc.
  if (!isTidy && world.processes.some(({ name }) => name === 'gc' || name === 'repair')) return;
  if (locks.length + staging.length > 0) throw new Violation(`left behind: ${[...locks, ...staging].join(', ')}`);
}

function isLockPart(name: string): boolean {
  return name.includes('.');
}

function hasJournal({ files }: World, location: string): boolean {
  if (location.startsWith('new-')) return false;
  const path = `staging/${location}/journal`;
  return files.isThere(path) && files.file(path).bytes.byteLength > 0;
}
