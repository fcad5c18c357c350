import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Draw } from '../fuzz/draw.ts';
import { changeDisk, type SimItem } from './disks.ts';
import type { SimMachine, SimProcess, Trouble } from './process.ts';
import { copyFolder, count, type World } from './world.ts';

const HOUR = 3_600_000;

/** What may happen to the world between two steps, as often as its weather says. True: that was all of this step. */
export function disturb(world: World): boolean {
  const { weather, draw, files, scheduler } = world;
  if (weather.isCalm) return false;
  const happens = (rate: number): boolean => rate > 0 && draw.below(rate) === 0;
  const alive = world.processes.filter(({ state }) => state === 'running');
  if (happens(weather.full)) fillUp(world, alive);
  else if (files.capacity < Number.POSITIVE_INFINITY && draw.percent(2)) files.capacity = Number.POSITIVE_INFINITY;
  if (happens(weather.pauses)) scheduler.pass(draw.one([2 * HOUR, 30 * HOUR, 20 * 24 * HOUR]));
  if (happens(weather.jumps)) jump(world, draw.one(world.machines));
  if (happens(weather.cacheLosses)) loseCache(world, draw.one(world.machines));
  if (happens(weather.writes)) writeTo(world, draw.one(world.items));
  if (happens(weather.cuts)) return cutPower(world);
  if (alive.length === 0) return false;
  if (happens(weather.stops)) stop(world, draw.one(alive));
  if (happens(weather.cancels)) cancel(world, draw.one(alive));
  if (!happens(weather.crashes)) return false;
  const victim = draw.one(alive);
  // Deaths between two looks show little: most happen at what changes something.
  const next = scheduler.ready().filter(({ process }) => process === victim);
  if (!next.some(({ what }) => /^(writing|sync|creat|link|renam|remov|making)/.test(what)) && draw.percent(75))
    return false;
  crash(world, victim, draw.percent(50));
  return true;
}

/** `late`: what it was about to do still happens. */
function crash(world: World, process: SimProcess, late: boolean): void {
  const { scheduler } = world;
  if (late) scheduler.openOneOf(process);
  scheduler.note(`${process.pid}@${process.machine.name} ${process.name}: dies`);
  count(world, 'crash');
  scheduler.kill(process);
}

/** Everything goes dark, the vault's machine too. */
export function cutPower(world: World): boolean {
  const { scheduler, files, draw } = world;
  for (const process of world.processes) if (process.state === 'running') scheduler.kill(process);
  const lost = files.powerCut(draw);
  scheduler.note(`POWER CUT: ${lost.join('; ') || 'nothing was lost'}`);
  count(world, 'power cut');
  for (const machine of world.machines) {
    machine.boot = `${machine.name} ${scheduler.step}`;
    machine.bootedAt = scheduler.time;
    if (draw.percent(20)) rmSync(machine.cache, { recursive: true, force: true });
    else if (draw.percent(30)) damageCache(world, machine);
    // Its new content may not have become durable.
    if (draw.percent(20) && existsSync(`${machine.state}-kept`)) copyFolder(machine.state, 'back');
    if (draw.percent(10)) rmSync(machine.state, { recursive: true, force: true });
  }
  return true;
}

/** Stopped (SIGSTOP) until others have gone on for long, or have nothing left to do. */
function stop({ scheduler, draw, ...world }: World, process: SimProcess): void {
  process.stoppedUntil = scheduler.step + draw.one([30, 200, 1500]);
  process.troubles.add('slept');
  if (draw.percent(30)) scheduler.pass(draw.one([60_000, HOUR, 48 * HOUR]));
  scheduler.note(`${process.pid}@${process.machine.name} ${process.name}: is stopped until ${process.stoppedUntil}`);
  world.counts.set('stop', (world.counts.get('stop') ?? 0) + 1);
}

function cancel(world: World, process: SimProcess): void {
  process.troubles.add('cancelled');
  count(world, 'cancel');
  world.scheduler.note(`${process.pid}@${process.machine.name} ${process.name}: is cancelled`);
  process.cancelled.abort();
}

function jump(world: World, machine: SimMachine): void {
  const by = world.draw.one([-30, -2, 0, 2, 40]) * 24 * HOUR - Math.round(machine.offset / 2);
  machine.offset += by;
  world.scheduler.note(`the clock of ${machine.name} jumps by ${by / 1000} s`);
  count(world, 'clock jump');
}

/** The cache is deleted, or an old copy is put back. */
function loseCache(world: World, machine: SimMachine): void {
  const { draw, scheduler } = world;
  const kept = existsSync(`${machine.cache}-kept`);
  const what = draw.one(['is deleted', 'is copied', kept ? 'is an old copy' : 'is deleted', 'is damaged']);
  if (what === 'is deleted') rmSync(machine.cache, { recursive: true, force: true });
  if (what === 'is copied') for (const folder of [machine.cache, machine.state]) copyFolder(folder, 'aside');
  if (what === 'is an old copy') copyFolder(machine.cache, 'back');
  if (what === 'is damaged') damageCache(world, machine);
  if (what !== 'is copied') trouble(world, 'cache', (process) => process.machine === machine);
  scheduler.note(`the cache of ${machine.name} ${what}`);
  count(world, `cache ${what}`);
}

function damageCache({ draw }: World, { cache }: SimMachine): void {
  const files = existsSync(cache) ? readdirSync(cache, { recursive: true, encoding: 'utf8' }).sort() : [];
  // The shared memory of a database is mapped: who cuts it kills whoever has it open.
  const paths = files
    .map((name) => join(cache, name))
    .filter((path) => statSync(path).isFile() && !path.endsWith('-shm'));
  if (paths.length > 0) damageFile(draw.one(paths), draw);
}

function damageFile(path: string, draw: Draw): void {
  const bytes = readFileSync(path);
  if (bytes.byteLength === 0) return;
  const at = draw.below(bytes.byteLength);
  const how = draw.below(3);
  if (how === 0) bytes[at]! ^= 1 << draw.below(8);
  if (how === 1) bytes.fill(0, at, Math.min(bytes.byteLength, at + 4096));
  writeFileSync(path, how === 2 ? bytes.subarray(0, at) : bytes);
}

function writeTo(world: World, item: SimItem): void {
  const { draw, scheduler } = world;
  changeDisk(draw.one(item.disks), draw, scheduler.time);
  trouble(world, 'source', (process) => process.item === item.name);
  scheduler.note(`${item.name} is written to`);
}

function fillUp(world: World, alive: readonly SimProcess[]): void {
  const { files, draw, scheduler } = world;
  files.capacity = files.used() + draw.below(100_000);
  for (const process of alive) process.troubles.add('full');
  scheduler.note('the disk of the vault is full');
  count(world, 'full');
}

function trouble(world: World, what: Trouble, whom: (process: SimProcess) => boolean): void {
  for (const process of world.processes) if (process.state === 'running' && whom(process)) process.troubles.add(what);
}
