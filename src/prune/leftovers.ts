import { isError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { everyPoint } from '../point/catalog.ts';
import {
  freshPrefix,
  locationOf,
  placesOf,
  readRecord,
  removeStaging,
  type StagingLocation,
} from '../staging/staging-location.ts';
import { ownerOf } from '../vault/object-owner.ts';
import type { Store } from '../vault/open-store.ts';
import { unsealJournal } from '../vault/sealed-file.ts';
import { removeOldCheckpoints, type Vault } from '../vault/vault.ts';
import type { FoundLocation, IsAlive } from './abandon.ts';
import { GC_ITEM } from './own-job.ts';

/** Of commands that store nothing: entries, checkpoints and slots until they have their name; who finds one gone makes it again. */
const PART = /^(entry|checkpoint|slot)-[0-9a-f]{8}$/;
const FRESH = /^new-[0-9a-f]{32}-[0-9a-f]{8}$/;
/** Of init, which is done: there is a vault. */
const INIT = 'init';

/** What lies in staging/ besides the locations: who owns it can make it again, or is dead. */
export interface StagingFile {
  store: Store;
  path: string;
}

/** All staging locations, and what else lies beside them. @throws IO */
export async function findStaging(vault: Vault): Promise<{ locations: FoundLocation[]; files: StagingFile[] }> {
  const locations: FoundLocation[] = [];
  const files: StagingFile[] = [];
  for (const store of placesOf(vault)) {
    for (const name of await store.list('staging')) {
      const location = locationOf(store, name);
      if (location) locations.push(await foundLocation(vault, location));
      else files.push({ store, path: `staging/${name}` });
    }
  }
  return { locations, files };
}

async function foundLocation(vault: Vault, location: StagingLocation): Promise<FoundLocation> {
  const { store, folder } = location;
  const record = await readRecord(vault, location);
  const hasJournal = record !== undefined || (await store.size(`${folder}/journal`)) !== undefined;
  return { ...location, hasJournal, item: record?.item };
}

/** What is of no use to anybody any more: a file or a folder, how many bytes it has, and how it is removed: false where it is in use after all. */
export interface Leftover {
  bytes: number;
  remove: () => Promise<boolean>;
}

/**
 * What dead runs left: staging locations of jobs that are closed, or that were never opened and whose item nobody has locked; parts
 * that were there when this run began. Whose owner nobody can tell stays. `closing`: jobs that are open and count as closed, for a
 * preview.
 * @throws IO
 */
export async function planLeftovers(
  vault: Vault,
  found: { locations: readonly FoundLocation[]; files: readonly StagingFile[] },
  { isAlive, closing = [] }: { isAlive: IsAlive; closing?: readonly string[] },
): Promise<Leftover[]> {
  const left: Leftover[] = [];
  for (const location of found.locations) {
    const status = closing.includes(location.job) ? 'closed' : vault.state.jobs.get(location.job);
    if (status === 'closed' || (status === undefined && (await isAbandoned(location, isAlive))))
      left.push({ bytes: await locationSize(location), remove: () => wasRemoved(removeStaging(location)) });
  }
  for (const file of found.files) left.push(...(await leftoverFile(vault, file, isAlive)));
  return left;
}

/** Removes them, and checkpoints but for the newest two. @throws IO */
export async function removeLeftovers(
  vault: Vault,
  leftovers: readonly Leftover[],
  onRemove: (bytes: number) => void,
): Promise<void> {
  for (const { bytes, remove } of leftovers) {
    if (await remove()) onRemove(bytes);
  }
  await removeOldCheckpoints(vault.store);
}

/** Bytes in a staging location. */
export async function locationSize({ store, folder }: Omit<StagingLocation, 'job'>): Promise<number> {
  let sum = 0;
  for (const name of await store.list(folder)) sum += (await store.size(`${folder}/${name}`)) ?? 0;
  return sum;
}

async function leftoverFile(vault: Vault, { store, path }: StagingFile, isAlive: IsAlive): Promise<Leftover[]> {
  const name = path.slice('staging/'.length);
  if (PART.test(name)) return [{ bytes: (await store.size(path)) ?? 0, remove: () => wasRemoved(store.remove(path)) }];
  if (name !== INIT && !(FRESH.test(name) && (await isDead(await itemOf(vault, store, path), isAlive)))) return [];
  const bytes = await locationSize({ store, folder: path });
  return [{ bytes, remove: () => wasRemoved(store.removeFolder(path)) }];
}

/** Of a job that the log does not know. A location gets its name with the journal in it, so without one it was about to be removed. */
async function isAbandoned({ hasJournal, item }: FoundLocation, isAlive: IsAlive): Promise<boolean> {
  return !hasJournal || (await isDead(item, isAlive));
}

/** Its run was taken for dead and is not: it tidies up by itself, or a later gc does. */
async function wasRemoved(removing: Promise<void>): Promise<boolean> {
  try {
    await removing;
    return true;
  } catch (error) {
    if (!isError(error, 'IO') || error.details.system !== 'ENOTEMPTY') throw error;
    return false;
  }
}

async function isDead(item: string | undefined, isAlive: IsAlive): Promise<boolean> {
  return item !== undefined && !(await isAlive(item));
}

/** A location that has no name of its own yet: its journal tells whose it is, or the name, of an item that is known. */
async function itemOf(vault: Vault, store: Store, path: string): Promise<string | undefined> {
  const items = [GC_ITEM, ...new Set(everyPoint(vault).map(({ manifest }) => manifest.item))];
  const known = items.find((item) => path.startsWith(freshPrefix(vault, item)));
  if (known !== undefined) return known;
  const journal = `${path}/journal`;
  const job = await ownerOf(store, journal, 'journal');
  if (job === undefined) return undefined;
  try {
    const [first] = unsealJournal(vault, await store.get(journal), journal, fromHex(job));
    return first && (JSON.parse(new TextDecoder().decode(first)) as { item: string }).item;
  } catch (error) {
    if (isError(error, 'NOT_FOUND', 'VAULT_DAMAGED', 'VAULT_NEWER')) return undefined;
    throw error;
  }
}
