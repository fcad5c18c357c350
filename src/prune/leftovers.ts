import { isError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { everyPoint } from '../point/catalog.ts';
import { freshFolder, locationOf, placesOf, readRecord, removeStaging } from '../staging/staging-location.ts';
import { ownerOf } from '../vault/object-owner.ts';
import type { Store } from '../vault/open-store.ts';
import { unsealJournal } from '../vault/sealed-file.ts';
import type { Vault } from '../vault/vault.ts';
import { type FoundLocation, type IsAlive, isLocked } from './abandon.ts';
import { GC_ITEM } from './own-job.ts';

/** Entries and checkpoints that a command writes which stores nothing; its commit makes one again that is gone. */
const PART = /^(entry|checkpoint)-[0-9a-f]{8}$/;
const FRESH = /^new-[0-9a-f]{32}$/;
/** Of init, which is done: there is a vault. */
const INIT = 'init';
const CHECKPOINT = /^\d{20}$/;
const KEPT_CHECKPOINTS = 2;

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
      if (location) locations.push({ ...location, item: (await readRecord(vault, location))?.item });
      else files.push({ store, path: `staging/${name}` });
    }
  }
  return { locations, files };
}

/**
 * Removes what dead runs left: staging locations of jobs that are closed, or that were never opened and whose item nobody has locked;
 * parts that were there when this run began; checkpoints but for the newest two. Whose owner nobody can tell stays.
 * @throws IO
 */
export async function removeLeftovers(
  vault: Vault,
  found: { locations: readonly FoundLocation[]; files: readonly StagingFile[] },
  isAlive: IsAlive,
): Promise<void> {
  for (const location of found.locations) {
    const status = vault.state.jobs.get(location.job);
    if (status === 'closed' || (status === undefined && (await isDead(location.item, isAlive))))
      await removeStaging(location);
  }
  for (const file of found.files) await removeFile(vault, file, isAlive);
  const checkpoints = (await vault.store.list('ckpt')).filter((name) => CHECKPOINT.test(name)).sort();
  for (const name of checkpoints.slice(0, -KEPT_CHECKPOINTS)) await vault.store.remove(`ckpt/${name}`);
}

async function removeFile(vault: Vault, { store, path }: StagingFile, isAlive: IsAlive): Promise<void> {
  const name = path.slice('staging/'.length);
  if (PART.test(name)) await store.remove(path);
  else if (name === INIT || (FRESH.test(name) && (await isDead(await itemOf(vault, store, path), isAlive))))
    await store.removeFolder(path);
}

async function isDead(item: string | undefined, isAlive: IsAlive): Promise<boolean> {
  return item !== undefined && isLocked(item) && !(await isAlive(item));
}

/** A location that has no name of its own yet: its journal tells whose it is, or the name, of an item that is known. */
async function itemOf(vault: Vault, store: Store, path: string): Promise<string | undefined> {
  const items = [GC_ITEM, ...new Set(everyPoint(vault).map(({ manifest }) => manifest.item))];
  const known = items.find((item) => freshFolder(vault, item) === path);
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
