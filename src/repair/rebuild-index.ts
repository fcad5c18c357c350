import { throwIfAborted } from '../base/abort.ts';
import { absent, isError } from '../base/errors.ts';
import { LocationTable } from '../cache/location-table.ts';
import { writeRows } from '../cache/write-segments.ts';
import type { StagingLocation } from '../staging/staging-location.ts';
import { openSegment, segmentPath } from '../vault/block-index.ts';
import { PACK_FOLDERS } from '../vault/block-writer.ts';
import { type CapturedPack, readPackDirectory } from '../vault/captured-pack.ts';
import { type AddedSegment, jobClosed, type Vault } from '../vault/vault.ts';

/** How often packs/ is listed where fewer packs are found than the log counted. */
const MOST_LISTS = 3;

/** The packs of damaged segments, told by their own directories. */
export interface FoundPacks {
  packs: CapturedPack[];
  /**
   * They are as many, of as many bytes, as the log says that the segments covered. If not, some may be packs that no entry
   * adds, which a sweep may take at any time: they may serve reads only.
   */
  isCertain: boolean;
}

/**
 * Finds the packs that damaged segments covered: those that their tails name, where these can be read, and all that lie in
 * packs/, that no other segment and no condemnation names, and whose job is closed in the log. The listing proposes; what a
 * pack says of itself, sealed, decides.
 * @throws IO, where a folder cannot be listed
 */
export async function findPacks(
  vault: Vault,
  damaged: readonly AddedSegment[],
  signal: AbortSignal | undefined,
): Promise<FoundPacks> {
  const { state } = vault;
  const gone = new Set(damaged.map(({ segment }) => segment));
  const known = new Set(state.condemned.keys());
  const named = new Set<string>();
  for (const { segment } of state.segments) {
    throwIfAborted(signal);
    for (const name of await packsOf(vault, segment)) (gone.has(segment) ? named : known).add(name);
  }
  const packs: CapturedPack[] = [];
  const look = async (names: Iterable<string>): Promise<void> => {
    for (const name of names) {
      throwIfAborted(signal);
      if (known.has(name)) continue;
      known.add(name);
      const pack = await readPackDirectory(vault.store, vault.keys, name);
      if (pack && (named.has(name) || state.jobs.get(pack.job) === 'closed')) packs.push(pack);
    }
  };
  const told = { packs: sumOf(damaged, (each) => each.packs), bytes: sumOf(damaged, ({ bytes }) => bytes) };
  await look(named);
  // What a listing leaves out would be of no segment any more, and the next gc would free it: one that comes short is no answer yet.
  for (let lists = 0; lists < MOST_LISTS && (lists === 0 || packs.length < told.packs); lists++)
    await look(await listedPacks(vault));
  return { packs, isCertain: packs.length === told.packs && sumOf(packs, ({ size }) => size) === told.bytes };
}

function sumOf<T>(all: readonly T[], of: (each: T) => number): number {
  return all.reduce((sum, each) => sum + of(each), 0);
}

/**
 * Adds a segment of these packs in the place of the damaged ones, which are moved aside. If somebody else dropped one of them
 * meanwhile, nothing is done.
 */
export async function addRebuilt(options: {
  vault: Vault;
  staging: StagingLocation;
  /** File for the locations. */
  overlay: string;
  damaged: readonly AddedSegment[];
  found: FoundPacks;
}): Promise<void> {
  const { vault, staging, damaged, found } = options;
  const { job, folder } = staging;
  using table = new LocationTable(options.overlay);
  recordPacks(table, found.packs);
  // Before they are added: nobody may refer to what a sweep may take.
  for (const { name: pack } of found.isCertain ? [] : found.packs)
    await vault.commit(() => ({ type: 'quarantine', pack, frames: [] }), { job, folder });
  await vault.openJob(job, folder, 'rebuild');
  const adds = found.packs.length > 0 ? await writeRows({ vault, job, folder, run: 'repair' }, table) : [];
  const dropped = damaged.map(({ segment }) => segment);
  const entry = await vault.commit(
    ({ segments, jobs }) => {
      if (jobs.get(job) !== 'open') throw jobClosed(job);
      const live = new Set(segments.map(({ segment }) => segment));
      return dropped.every((segment) => live.has(segment)) ? { type: 'index-merge', adds, dropped } : null;
    },
    { job, folder },
  );
  if (entry) await moveAside(vault, dropped);
}

/** Dropped segments would be swept: a damaged one may still help somebody. */
async function moveAside({ store }: Vault, segments: readonly string[]): Promise<void> {
  await store.makeFolder('quarantine');
  for (const name of segments) {
    await store.rename(segmentPath(name), `quarantine/index-${name}`).catch(absent);
  }
  for (const folder of ['quarantine', 'index']) await store.syncFolder(folder);
}

function recordPacks(table: LocationTable, packs: readonly CapturedPack[]): void {
  for (const { name, size, entries } of packs) {
    table.transaction(() => {
      const pack = table.addPack({ name, size, frames: entries.length });
      table.addBlocks(entries.map((entry, ordinal) => ({ ...entry, pack, ordinal })));
    });
  }
}

async function packsOf({ store, keys }: Vault, segment: string): Promise<string[]> {
  try {
    await using file = await openSegment(store, keys, segmentPath(segment));
    return file.packs.map(({ name }) => name);
  } catch (error) {
    if (isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER', 'VAULT_KEY_WRONG')) return [];
    throw error;
  }
}

async function listedPacks({ store }: Vault): Promise<string[]> {
  const names: string[] = [];
  for (const folder of PACK_FOLDERS) {
    names.push(
      ...(await store.list(`packs/${folder}`)).filter((name) => /^[0-9a-f]{64}$/.test(name) && name.startsWith(folder)),
    );
  }
  return names;
}
