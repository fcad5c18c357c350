import { isError } from '../../src/base/errors.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { openPoint } from '../../src/jobs/open-point.ts';
import { scrub } from '../../src/jobs/scrub-job.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { type CatalogPoint, everyPoint } from '../../src/point/catalog.ts';
import { type Content, changeDisk, isContent, type SimItem } from './disks.ts';
import { collectGarbage, QUARANTINED, quarantineOne, repairAll } from './gc-actions.ts';
import { changeKeys, KEY_RUN } from './key-actions.ts';
import type { SimProcess } from './process.ts';
import { bringBack, forgetByRules, forgetNamed, pinOne, protectAll, unpinOne } from './retention-actions.ts';
import { Violation } from './scheduler.ts';
import { broughtBack, isKept, mayBeGivenUp, type SavedPoint, save } from './truth.ts';
import { ADDRESS, count, openSession, optionsOf, type World } from './world.ts';

/** What one run does. It throws what the command throws, and a Violation when the vault is not as it must be. */
export interface Action {
  name: string;
  /** How often, beside the others. */
  weight: number;
  /** It works on one item: which one is drawn. */
  onItem: boolean;
  run(world: World, process: SimProcess): Promise<void>;
}

/** To add one: a function here, and what it may throw in `judge.ts`. */
export const ACTIONS: readonly Action[] = [
  { name: 'backup', weight: 24, onItem: true, run: backUp },
  { name: 'read', weight: 3, onItem: false, run: readOne },
  { name: 'verify', weight: 2, onItem: false, run: verifyAll },
  { name: 'scrub', weight: 1, onItem: false, run: scrubAll },
  { name: 'forget', weight: 6, onItem: false, run: forgetNamed },
  { name: 'forget by rules', weight: 4, onItem: false, run: forgetByRules },
  { name: 'unforget', weight: 3, onItem: false, run: bringBack },
  { name: 'pin', weight: 1, onItem: false, run: pinOne },
  { name: 'unpin', weight: 1, onItem: false, run: unpinOne },
  { name: 'protect', weight: 1, onItem: false, run: protectAll },
  { name: 'gc', weight: 10, onItem: false, run: collectGarbage },
  { name: 'repair', weight: 1, onItem: false, run: repairAll },
  { name: 'quarantine', weight: 1, onItem: false, run: quarantineOne },
  { name: KEY_RUN, weight: 2, onItem: false, run: changeKeys },
];

export async function backUp(world: World, process: SimProcess): Promise<void> {
  const { draw, scheduler } = world;
  const item = itemOf(world, process);
  const isFree = world.processes.every(
    (other) => other === process || other.item !== item.name || other.state !== 'running',
  );
  if (isFree && draw.percent(75)) for (const disk of item.disks) changeDisk(disk, draw, scheduler.time);
  const from = item.disks.map(({ versions }) => versions.length - 1);
  const type = draw.one(['auto', 'auto', 'auto', 'full', 'incremental', 'differential'] as const);
  await using session = await openSession(world, process);
  const disks = item.disks.map(({ name, address }) => ({ name, address }));
  const made = await backup(session, item.name, disks, { type, signal: process.cancelled.signal });
  if (made.resumed) count(world, 'backup goes on with another');
  if (made.healed > 0) count(world, 'backup heals');
  // Nobody hears what a dead process says.
  if (process.state !== 'running') return;
  const ref = `${item.name}@${made.point}`;
  scheduler.note(`${process.pid} saved ${ref}`);
  save(
    world,
    ref,
    item.name,
    item.disks.map(({ name, versions }, n) => ({ name, held: versions.slice(from[n]) })),
  );
}

/** One saved point reads as what it was made of, whatever goes on meanwhile. */
async function readOne(world: World, process: SimProcess): Promise<void> {
  const kept = world.saved.filter(isKept);
  if (kept.length === 0) return;
  const point = world.draw.one(kept);
  try {
    await using session = await openSession(world, process);
    await checkPoint(session, point);
  } catch (error) {
    // Somebody forgot it meanwhile.
    if (isKept(point) || !isError(error, 'NO_SUCH_POINT', 'NO_SUCH_ITEM')) throw error;
  }
}

export async function verifyAll(world: World, process: SimProcess): Promise<void> {
  const readData = world.draw.percent(50);
  await using session = await openSession(world, process);
  const { quarantined } = session.vault.state;
  const before = quarantined.size;
  const { findings } = await verify(session, { readData, signal: process.cancelled.signal });
  const damage = findings.filter(({ severity }) => severity === 'damage');
  // What is quarantined counts as lost until a repair has looked again, perhaps meanwhile.
  if (world.counts.has(QUARANTINED) && (before > 0 || session.vault.state.quarantined.size > 0)) return;
  // An I/O error is told like damage.
  if (damage.length === 0 || process.troubles.has('fault') || process.state !== 'running') return;
  throw new Violation(
    `verify calls an undamaged vault damaged: ${damage.map(({ where, what }) => `${where} ${what}`).join('; ')}`,
  );
}

async function scrubAll(world: World, process: SimProcess): Promise<void> {
  const { threads = 1, parts = {} } = optionsOf(world, process);
  const { findings } = await scrub(ADDRESS, { threads, parts, signal: process.cancelled.signal });
  const damage = findings.filter(({ severity }) => severity === 'damage');
  if (damage.length === 0 || process.troubles.has('fault') || process.state !== 'running') return;
  throw new Violation(`scrub calls an undamaged vault damaged: ${JSON.stringify(damage)}`);
}

/** Reads all disks of a point. @throws Violation when one is not what it was */
export async function checkPoint(session: VaultSession, point: Pick<SavedPoint, 'ref' | 'disks'>): Promise<void> {
  const { ref, disks } = point;
  for (const { name, held } of disks) {
    await using disk = await openPoint(session, ref, name);
    const bytes = new Uint8Array(disk.size);
    await disk.read(0, bytes);
    if (!held.some((content) => isContent(bytes, content)))
      throw new Violation(`${ref} ${name} is not what was backed up`);
  }
}

/**
 * Every point that was saved and not given up is there and reads; one that nobody was told of is whole too; and one that is
 * forgotten and can be brought back is brought back, and is whole.
 */
export async function checkAllPoints(world: World, process: SimProcess): Promise<void> {
  await using session = await openSession(world, process);
  const points = everyPoint(session.vault);
  const found = new Map(points.map((point) => [`${point.manifest.item}@${point.id}`, point]));
  for (const point of world.saved) {
    const there = found.get(point.ref);
    if (isKept(point) && (!there || there.logged.forgotten))
      throw new Violation(`${point.ref} was saved and is ${there ? 'forgotten' : 'not in the log'}`);
    if (!there && !mayBeGivenUp(world, point)) throw new Violation(`${point.ref} was given up too early`);
    if (point.isPinned && !there) throw new Violation(`${point.ref} was pinned and is given up`);
  }
  const forgotten = points.filter(({ logged }) => logged.forgotten);
  const refs = forgotten.map(({ id, manifest }) => `${manifest.item}@${id}`);
  if (refs.length > 0) {
    await unforget(session, refs);
    broughtBack(world, process, refs);
    // It may read well until what a gc gave up is swept.
    if (world.counts.has(QUARANTINED)) for (const ref of refs) world.lacking.add(ref);
  }
  const saved = new Map(world.saved.map((point) => [point.ref, point]));
  for (const [ref, point] of found) {
    try {
      await checkPoint(session, saved.get(ref) ?? untold(world, ref, point));
    } catch (error) {
      // Of a forgotten point that could not be read whole a gc keeps what it can read (D2).
      if (!world.lacking.has(ref) || !isError(error, 'VAULT_DAMAGED')) throw error;
      count(world, 'a forgotten point lost blocks to a quarantine');
    }
  }
}

/** Of a run that died after its commit: any time's content will do. */
function untold(world: World, ref: string, { manifest }: CatalogPoint): Pick<SavedPoint, 'ref' | 'disks'> {
  const item = world.items.find(({ name }) => name === manifest.item);
  if (!item) throw new Violation(`${ref} is of no item that was backed up`);
  const held = (name: string): readonly Content[] => item.disks.find((disk) => disk.name === name)?.versions ?? [];
  return { ref, disks: manifest.disks.map(({ name }) => ({ name, held: held(name) })) };
}

function itemOf({ items }: World, process: SimProcess): SimItem {
  return items.find(({ name }) => name === process.item) as SimItem;
}
