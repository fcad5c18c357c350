import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { isError } from '../../src/base/errors.ts';
import { createVault, openVault, type SessionOptions, type VaultSession } from '../../src/jobs/session.ts';
import type { Compression } from '../../src/jobs/types.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { type Draw, drawOf } from '../fuzz/draw.ts';
import { CHEAP_KDF, fixedRandom, PASSPHRASE } from '../support/fixed-parts.ts';
import { BLOCK, drawItems, type SimItem, writeDisk } from './disks.ts';
import { DurableFiles, type Flaw } from './durable-files.ts';
import { faulty } from './faults.ts';
import { running, type SimMachine, type SimProcess, type SimSecret } from './process.ts';
import { Scheduler } from './scheduler.ts';
import { STORE, simulatedStore } from './simulated-store.ts';
import { FIRST_PID } from './simulated-system.ts';
import type { SavedPoint } from './truth.ts';
import { drawWeather, type Weather } from './weather.ts';

/** All there is in one seed. */
export interface World {
  seed: number;
  draw: Draw;
  scheduler: Scheduler;
  files: DurableFiles;
  weather: Weather;
  machines: SimMachine[];
  items: SimItem[];
  /** Every process that ever ran. */
  processes: SimProcess[];
  saved: SavedPoint[];
  /** References of points that were forgotten, also of those that nobody was told of. */
  forgottenBefore: Set<string>;
  /** Runs that forget by rules now, and of which item. */
  forgetting: Set<{ process: SimProcess; targets: string }>;
  /** Points that may have lost blocks while they were forgotten and a pack of theirs quarantined. */
  lacking: Set<string>;
  /** Whatever may open the vault; none where it is not encrypted. */
  secrets: SimSecret[];
  folder: string;
  /** How often things happened, in words. */
  counts: Map<string, number>;
}

export const ADDRESS = 'vault';

/** Makes a vault and what is around it. */
export function makeWorld(seed: number, folder: string, flaw?: Flaw): World {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(join(folder, 'disks'), { recursive: true });
  const draw = drawOf(seed, 0);
  const scheduler = new Scheduler(drawOf(seed, 1));
  const items = drawItems(draw, join(folder, 'disks'));
  for (const { disks } of items) for (const disk of disks) writeDisk(disk, scheduler.time);
  const machines = ['alpha', 'beta']
    .slice(0, 1 + draw.below(2))
    .map((name) => newMachine(name, folder, draw, scheduler));
  const world: World = {
    ...{ seed, draw, scheduler, machines, items, folder },
    files: new DurableFiles(flaw),
    weather: drawWeather(draw),
    processes: [],
    saved: [],
    forgottenBefore: new Set(),
    forgetting: new Set(),
    lacking: new Set(),
    secrets: drawSecrets(draw, folder),
    counts: new Map(),
  };
  world.files.step = () => scheduler.step;
  wrapMemoryStore(STORE, () => storeOf(world, running.getStore() as SimProcess));
  return world;
}

/** The first process of a world. */
export async function initVault(world: World, process: SimProcess): Promise<void> {
  const { draw, secrets } = world;
  await createVault(ADDRESS, {
    ...optionsOf(world, process),
    ...secrets[0]?.options,
    blockSize: BLOCK,
    compression: draw.one<Compression>(['lz4', 'lz4', 'none', 'none', 'none', 'zstd']),
    unencrypted: secrets.length === 0,
  });
}

/** With what opens the vault for sure, or may. */
export async function openSession(world: World, process: SimProcess): Promise<VaultSession> {
  const { draw, secrets } = world;
  if (secrets.length === 0) return await openVault(ADDRESS, optionsOf(world, process));
  const valid = secrets.filter(({ state }) => state === 'valid');
  const tries = valid.length > 0 ? [draw.one(valid)] : secrets.filter(({ state }) => state === 'unsure');
  for (;;) {
    const secret = tries.shift() as SimSecret;
    try {
      const session = await openVault(ADDRESS, { ...optionsOf(world, process), ...secret.options });
      process.secret = secret;
      return session;
    } catch (error) {
      if (tries.length === 0 || !isError(error, 'VAULT_KEY_WRONG')) throw error;
    }
  }
}

/** A new process on a machine. */
export function newProcess(world: World, machine: SimMachine, name: string, item?: string): SimProcess {
  const pid = FIRST_PID + world.processes.length;
  const process: SimProcess = {
    ...{ pid, machine, name, item, state: 'running', settled: false, refused: 0, stoppedUntil: 0 },
    random: fixedRandom(`${world.seed} ${pid}`),
    began: world.scheduler.step,
    endedAt: Number.POSITIVE_INFINITY,
    beganTime: world.scheduler.time,
    endedTime: Number.POSITIVE_INFINITY,
    troubles: new Set(world.files.capacity < Number.POSITIVE_INFINITY ? ['full'] : []),
    cancelled: new AbortController(),
    secret: undefined,
    softDelete: undefined,
    databases: new Set(),
    openFiles: new Set(),
  };
  machine.processes.push(process);
  world.processes.push(process);
  return process;
}

export function count(world: World, what: string): void {
  world.counts.set(what, (world.counts.get(what) ?? 0) + 1);
}

/** Keeps a copy of a machine's cache or state folder, or puts one back. */
export function copyFolder(folder: string, to: 'aside' | 'back'): void {
  const kept = `${folder}-kept`;
  const [from, target] = to === 'aside' ? [folder, kept] : [kept, folder];
  rmSync(target, { recursive: true, force: true });
  mkdirSync(from, { recursive: true });
  cpSync(from, target, { recursive: true });
}

function newMachine(name: string, folder: string, draw: Draw, { time }: Scheduler): SimMachine {
  const [cache, state] = [join(folder, name, 'cache'), join(folder, name, 'state')];
  const offset = draw.percent(70) ? 0 : (draw.below(7) - 3) * 1_800_000;
  return { name, offset, boot: `${name} 0`, bootedAt: time - 3_600_000, cache, state, processes: [] };
}

function drawSecrets(draw: Draw, folder: string): SimSecret[] {
  switch (draw.below(4)) {
    case 0:
      return [{ options: PASSPHRASE, state: 'valid' }];
    case 1: {
      const keyFile = join(folder, 'key');
      writeFileSync(keyFile, draw.bytes(32));
      return [{ options: { keyFile }, state: 'valid' }];
    }
    default:
      return [];
  }
}

/** But for the secret. */
export function optionsOf(world: World, process: SimProcess): SessionOptions {
  const { machine, random } = process;
  const threads = world.weather.threads;
  return {
    ...{ threads, cache: machine.cache, state: machine.state },
    parts: {
      ...{ random, kdf: CHEAP_KDF, reserve: 1024, clock: clockOf(world, process) },
      store: { kind: 'memory', name: STORE },
      pool: openInThreadPool(threads),
    },
  };
}

function clockOf({ scheduler }: World, process: SimProcess): Clock {
  return {
    now: () => scheduler.time + process.machine.offset,
    monotonic: () => scheduler.time - process.machine.bootedAt,
    sleep: (milliseconds, signal) => scheduler.sleep(process, milliseconds, signal),
  };
}

function storeOf(world: World, process: SimProcess): Store {
  const { files, scheduler, draw, weather } = world;
  return simulatedStore(
    files,
    (what, work, plain) => scheduler.gate(process, what, () => faulty(world, process, what, work), plain),
    // A listing proves nothing: where it may, it leaves out what is new.
    weather.staleLists ? { isSeen: (age) => weather.isCalm || age > 100 || draw.percent(60) } : {},
  );
}
