import { isError } from '../../src/base/errors.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import type { GcResult } from '../../src/jobs/gc-types.ts';
import { lockForWriting } from '../../src/jobs/lock-for-writing.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { type CatalogPoint, everyPoint } from '../../src/point/catalog.ts';
import { openSegment, segmentPath } from '../../src/vault/block-index.ts';
import { BLOCK, type Content } from './disks.ts';
import type { SimProcess } from './process.ts';
import { Violation } from './scheduler.ts';
import { count, openSession, type World } from './world.ts';

const HOUR = 3_600_000;
const FORTNIGHT = 14 * 24 * HOUR;

export async function collectGarbage(world: World, process: SimProcess): Promise<void> {
  const { draw } = world;
  const softDelete = draw.one([0, 0, HOUR, undefined]);
  const grace = draw.one([0, HOUR, undefined]);
  process.softDelete = softDelete ?? FORTNIGHT;
  await using session = await openSession(world, process);
  const done = await gc(session, {
    ...(softDelete !== undefined && { softDelete }),
    ...(grace !== undefined && { grace }),
    ...(draw.percent(20) && { idsPerPass: 20 }),
    acceptClock: draw.percent(70),
    signal: process.cancelled.signal,
  });
  tellDone(world, done);
}

/** What no gc ever did was not tried. */
function tellDone(world: World, { condemned, abandoned, repacked, merged, swept }: GcResult): void {
  const did: Readonly<Record<string, number>> = {
    'gives up points': condemned.points,
    'gives up packs': condemned.packs,
    'closes jobs': abandoned.length,
    'stores packs anew': repacked.packs,
    'merges segments': merged.segments,
    'deletes packs': swept.packs,
    'deletes segments': swept.segments,
    'removes leftovers': swept.leftovers,
  };
  for (const [what, times] of Object.entries(did)) if (times > 0) count(world, `gc ${what}`);
}

/**
 * As a repair tells that was given wrong bytes by a disk which gives the right ones later: nobody may rely on the pack, and nobody may
 * delete it as long as anything else is missing.
 */
export async function quarantineOne(world: World, process: SimProcess): Promise<void> {
  const { draw } = world;
  await using session = await openSession(world, process);
  const { vault } = session;
  const packs: string[] = [];
  for (const { segment } of vault.state.segments) {
    // A gc may delete it in this moment.
    await using open = await openSegment(vault.store, vault.keys, segmentPath(segment)).catch(unlessMoved);
    packs.push(...(open?.packs ?? []).map(({ name }) => name));
  }
  const usable = packs.filter((pack) => !vault.state.condemned.has(pack) && !vault.state.quarantined.has(pack));
  if (usable.length === 0) return;
  const [pack, frames] = [draw.one(usable), draw.one(['all', [0]] as const)];
  await using _ = await lockForWriting(session, undefined, process.cancelled.signal);
  // Who dies of it may have been done.
  count(world, QUARANTINED);
  await vault.commit(() => ({ type: 'quarantine', pack, frames }));
}

function unlessMoved(error: unknown): undefined {
  if (!isError(error, 'VAULT_DAMAGED')) throw error;
}

export const QUARANTINED = 'a pack is quarantined';

/** Nobody runs beside it: what no point needs goes, all of it. */
export async function collectAll(world: World, process: SimProcess): Promise<void> {
  process.softDelete = 0;
  await using session = await openSession(world, process);
  tellDone(world, await gc(session, { softDelete: 0, grace: 0, acceptClock: true }));
}

/** In a healthy vault a repair does nothing, but lift the quarantine of what is as it should be. */
export async function repairAll(world: World, process: SimProcess): Promise<void> {
  await using session = await openSession(world, process);
  const { actions } = await repairVault(session, { signal: process.cancelled.signal });
  const undue = actions.filter(({ action }) => action !== 'recover' || !world.counts.has(QUARANTINED));
  if (undue.length === 0 || process.troubles.has('fault') || process.state !== 'running') return;
  throw new Violation(`repair in a healthy vault: ${undue.map(({ where, what }) => `${where} ${what}`).join('; ')}`);
}

/** What a vault has besides its packs: a few files, each small. */
const SLACK = 64 * 1024;

/** After a gc that spares nothing, the vault has what its points need, and little else. */
export async function checkGarbage(world: World, process: SimProcess): Promise<void> {
  const { files } = world;
  await using session = await openSession(world, process);
  const { vault } = session;
  const listed = new Map<string, number>();
  for (const { segment } of vault.state.segments) {
    await using open = await openSegment(vault.store, vault.keys, segmentPath(segment));
    for (const { name, size } of open.packs) listed.set(name, size);
  }
  const packs = files.list('packs').flatMap((folder) => files.list(`packs/${folder}`));
  const orphans = packs.filter((name) => !listed.has(name));
  if (orphans.length > 0) throw new Violation(`gc left packs that no segment lists: ${orphans.join(', ')}`);
  const segments = files.list('index').filter((name) => !vault.state.segments.some(({ segment }) => segment === name));
  if (segments.length > 0) throw new Violation(`gc left segments that no entry adds: ${segments.join(', ')}`);
  const stored = packs.reduce((sum, name) => sum + (listed.get(name) ?? 0), 0);
  const needed = neededBytes(world, everyPoint(vault));
  if (stored > 2 * needed + SLACK) throw new Violation(`gc left ${stored} bytes of packs, and points need ${needed}`);
}

/** Every block once, as if nothing were compressed. */
function neededBytes(world: World, points: readonly CatalogPoint[]): number {
  const blocks = new Map<string, number>();
  let pages = 0;
  for (const { id, manifest } of points) {
    for (const { name, pages: count } of manifest.disks) {
      pages += count;
      for (const content of heldBy(world, `${manifest.item}@${id}`, name)) addBlocks(blocks, content);
    }
  }
  // With a tag, and its entries in the pack's directory.
  return [...blocks.values()].reduce((sum, bytes) => sum + bytes + 128, 0) + pages * (8192 + 128);
}

function heldBy({ saved, items }: World, ref: string, name: string): readonly Content[] {
  const known = saved.find((point) => point.ref === ref)?.disks.find((disk) => disk.name === name)?.held;
  return (
    known ??
    items.find((item) => ref.startsWith(`${item.name}@`))?.disks.find((disk) => disk.name === name)?.versions ??
    []
  );
}

function addBlocks(blocks: Map<string, number>, { size, blocks: codes }: Content): void {
  for (const [n, code] of codes.entries())
    if (code !== 0) blocks.set(`${code} ${Math.min(BLOCK, size - n * BLOCK)}`, BLOCK);
}
