import { rmSync } from 'node:fs';
import { isError } from '../../src/base/errors.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { PointFinding } from '../../src/jobs/verify-types.ts';
import { catalog } from '../../src/point/catalog.ts';

import { backUp, checkPoint } from './actions.ts';
import type { SimProcess } from './process.ts';
import { alone } from './runs.ts';
import { Violation } from './scheduler.ts';
import { count, openSession, type World } from './world.ts';

/** The end of a world: one object is damaged, verify says what is the truth, and a repair makes the vault one to work with. */
export async function damageSomething(world: World): Promise<void> {
  const { draw, files, scheduler } = world;
  const packs = files
    .list('packs')
    .flatMap((folder) => files.list(`packs/${folder}`).map((name) => `packs/${folder}/${name}`));
  const rooms = [
    packs,
    files.list('index').map((name) => `index/${name}`),
    files.list('log').map((name) => `log/${name}`),
  ];
  const path = draw.one(draw.one(rooms.filter((room) => room.length > 0)));
  const isLog = path.startsWith('log/');
  // Taking away the newest entry is a rollback, not damage.
  const how = harm(world, path, !isLog);
  scheduler.note(`${path} ${how}`);
  count(world, `damage: ${path.split('/')[0]} ${how}`);
  let broken: string[] = [];
  const compare = async (_: World, process: SimProcess): Promise<void> => {
    broken = isLog ? await seeLogDamage(world, process, path) : await seeDamage(world, process);
  };
  await alone(world, { name: 'verify the damaged', run: compare });
  if (isLog) return;
  for (const name of broken) world.scheduler.note(`${name} cannot be read`);
  await alone(world, { name: 'repair the damaged', run: repairDamaged });
  for (const { name } of world.items) await alone(world, { name: 'backup', run: backUp }, { item: name });
  await alone(world, { name: 'verify the repaired', run: (_, process) => checkRepaired(world, process, broken) });
}

/** Every point reads as it was, or verify says that it is hit. Returns those that do not. */
async function seeDamage(world: World, process: SimProcess): Promise<string[]> {
  await using session = await openSession(world, process);
  const damage = await damageFound(session);
  const broken = await brokenPoints(world, session);
  // What a machine kept of the index helps who reads there, and is no part of the vault.
  rmSync(process.machine.cache, { recursive: true, force: true });
  await using bare = await openSession(world, process);
  const lost = await brokenPoints(world, bare);
  const named = new Set(damage.flatMap(({ points }) => points));
  const untold = broken.filter((ref) => !named.has(ref));
  const whole = new Set(world.saved.map(({ ref }) => ref).filter((ref) => !lost.includes(ref)));
  const unjust = (await livePoints(session)).filter((ref) => named.has(ref) && whole.has(ref));
  // Blocks of a quarantined pack are read, and count as lost.
  const isSure = [...session.vault.state.quarantined.values()].every(({ frames }) => frames.length === 0);
  if (isSure && unjust.length > 0)
    throw new Violation(`verify says that ${unjust.join(', ')} are hit, and they read well`);
  if (untold.length > 0) throw new Violation(`verify does not say that ${untold.join(', ')} cannot be read`);
  return broken;
}

/** The first entry is needed to open a vault at all. */
async function seeLogDamage(world: World, process: SimProcess, path: string): Promise<[]> {
  try {
    await using session = await openSession(world, process);
    if ((await damageFound(session)).length === 0) throw new Violation(`verify does not see that ${path} is damaged`);
    await brokenPoints(world, session);
  } catch (error) {
    if (!isError(error, 'VAULT_DAMAGED')) throw error;
  }
  return [];
}

async function repairDamaged(world: World, process: SimProcess): Promise<void> {
  await using session = await openSession(world, process);
  await repairVault(session);
}

/** What was whole is whole, and what is made now is. */
async function checkRepaired(world: World, process: SimProcess, broken: readonly string[]): Promise<void> {
  await using session = await openSession(world, process);
  const hit = (await damageFound(session)).flatMap(({ points }) => points);
  // A run that was killed may have made one that nobody was told of.
  const told = world.saved.map(({ ref }) => ref);
  const unjust = hit.filter((ref) => told.includes(ref) && !broken.includes(ref));
  if (unjust.length > 0) throw new Violation(`after the repair ${unjust.join(', ')} are called hit`);
  const now = await brokenPoints(world, session);
  const more = now.filter((ref) => !broken.includes(ref));
  if (more.length > 0) throw new Violation(`after the repair ${more.join(', ')} cannot be read`);
}

async function damageFound(session: VaultSession): Promise<PointFinding[]> {
  const { ok, findings } = await verify(session, { readData: true });
  const damage = findings.filter(({ severity }) => severity === 'damage');
  if (ok !== (damage.length === 0)) throw new Violation('verify contradicts itself');
  return damage;
}

/** Points that the log still tells of and that cannot be read. */
async function brokenPoints({ saved }: World, session: VaultSession): Promise<string[]> {
  const points = new Set(await livePoints(session));
  const broken: string[] = [];
  for (const point of saved) {
    if (!points.has(point.ref)) continue;
    try {
      await checkPoint(session, point);
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED')) throw error;
      broken.push(point.ref);
    }
  }
  return broken;
}

function harm({ files, draw }: World, path: string, mayGo: boolean): string {
  const file = files.file(path);
  const bytes = Uint8Array.from(file.bytes);
  const at = draw.below(bytes.byteLength);
  const how = draw.one(['has a flipped bit', 'is cut', 'has zeros', ...(mayGo ? ['is gone'] : [])]);
  if (how === 'is gone') files.remove(path);
  if (how === 'has a flipped bit') bytes[at]! ^= 1 << draw.below(8);
  // Zeros where there were none: else nothing is damaged.
  if (how === 'has zeros') bytes.fill(0, firstOther(bytes, at));
  file.bytes = how === 'is cut' ? bytes.slice(0, at) : bytes;
  return how;
}

function firstOther(bytes: Uint8Array, at: number): number {
  const found = bytes.findIndex((byte, n) => n >= at && byte !== 0);
  return Math.max(0, found);
}

async function livePoints({ vault }: VaultSession): Promise<string[]> {
  return catalog(await vault.forReading()).map(({ id, manifest }) => `${manifest.item}@${id}`);
}
