import { isError, VhdvaultError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { capturedPack, partPrefix } from '../vault/block-writer.ts';
import { openStore, type Store, writeObject } from '../vault/open-store.ts';
import { sealJournal, unsealJournal } from '../vault/sealed-file.ts';
import type { Vault } from '../vault/vault.ts';

const PREFIX = 'AzureBackup-';
const LOCATION = /^AzureBackup-[0-9a-f]{32}$/;

/** The staging location of one running job: its journal, and what is being written. */
export interface StagingLocation {
  /** Hex. */
  job: string;
  /** The vault's, or where an earlier run without `--staging` put it. */
  store: Store;
  /** Path in the store. */
  folder: string;
}

/** What a run left behind when it was interrupted. */
export interface Leftover extends StagingLocation {
  record: StagingRecord;
  /** It lies where this run stages too. */
  isHere: boolean;
}

/** What a journal tells of its job. */
export interface StagingRecord {
  item: string;
  started: number;
}

/**
 * Makes the staging location, under the item's lock. Its folder has its name only with the journal in it: one that a
 * kill left without would be nobody's for ever. Until then it has the name of the item, so the next run finds it.
 * @throws ITEM_LOCKED where another run of the item took this one for dead meanwhile, and removed the folder; what the store throws
 */
export async function createStaging(vault: Vault, job: string, record: StagingRecord): Promise<StagingLocation> {
  const { store } = vault;
  const folder = `staging/${PREFIX}${job}`;
  for (const place of placesOf(vault)) await removeFresh(vault, place, record.item);
  // A run that was taken for dead and is not must not find its own in the place of this one.
  const fresh = `${freshPrefix(vault, record.item)}${toHex(vault.random.bytes(4))}`;
  await store.makeFolder(fresh);
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  try {
    await writeObject(store, `${fresh}/journal`, sealJournal(vault, fromHex(job), [bytes]));
    await store.rename(fresh, folder);
  } catch (error) {
    throw isError(error, 'NOT_FOUND') ? takenForDead(fresh, error) : error;
  }
  return { job, store, folder };
}

function takenForDead(folder: string, cause: unknown): VhdvaultError {
  return new VhdvaultError('ITEM_LOCKED', `another run took this one for dead, and removed ${folder}`, {
    hint: 'run it again when the other one has ended; nothing is lost',
    details: { path: folder },
    cause,
  });
}

/** How the paths of an item's staging locations begin until they have their journal. */
export function freshPrefix(vault: Vault, item: string): string {
  return `staging/new-${vault.nameHash('staging', item)}-`;
}

async function removeFresh(vault: Vault, store: Store, item: string): Promise<void> {
  const prefix = freshPrefix(vault, item);
  for (const name of await store.list('staging'))
    if (`staging/${name}`.startsWith(prefix)) await store.removeFolder(`staging/${name}`);
}

/** Names of the packs that the job has stored, or was about to when it was interrupted. */
export async function capturedPacks({ store, folder }: StagingLocation): Promise<string[]> {
  return (await store.list(folder)).flatMap((name) => capturedPack(name) ?? []);
}

/** Removes what was open when the run was interrupted: it is never appended to (J5). With `run`, only what that run wrote. */
export async function removeParts({ store, folder }: StagingLocation, run?: string): Promise<void> {
  for (const name of await store.list(folder)) {
    if (name === 'journal' || capturedPack(name) !== undefined) continue;
    if (run === undefined || name.startsWith(partPrefix(run))) await store.remove(`${folder}/${name}`);
  }
}

/**
 * Removes a staging location and all in it, the journal last: elsewhere than in the vault, where no gc looks, only that tells the next
 * run of the item what a kill in the middle left.
 */
export async function removeStaging({ store, folder }: StagingLocation): Promise<void> {
  for (const name of await store.list(folder))
    if (name !== 'journal') await store.remove(`${folder}/${name}`).catch(() => undefined);
  await store.removeFolder(folder);
}

/**
 * The staging locations of other jobs on this item. Called under the item's lock, which makes them dead. A location
 * whose journal cannot be read is left alone: nobody knows whose it is.
 */
export async function findLeftovers(vault: Vault, item: string): Promise<Leftover[]> {
  const left = new Map<string, Leftover>();
  for (const store of placesOf(vault)) {
    for (const name of await store.list('staging')) {
      const location = locationOf(store, name);
      if (!location) continue;
      const record = await readRecord(vault, location);
      if (record?.item !== item || left.has(location.job)) continue;
      left.set(location.job, { ...location, record, isHere: store === vault.store });
    }
  }
  return [...left.values()];
}

/** The staging location of this name in staging/; undefined where it is none. */
export function locationOf(store: Store, name: string): StagingLocation | undefined {
  return LOCATION.test(name) ? { job: name.slice(PREFIX.length), store, folder: `staging/${name}` } : undefined;
}

/** With `--staging` also the vault's own folder: an earlier run may have gone without. */
export function placesOf({ store }: Vault): Store[] {
  const { address } = store;
  if (address.kind !== 'folder' || address.staging === undefined) return [store];
  return [store, openStore({ kind: 'folder', path: address.path })];
}

/** undefined where the journal cannot be read. */
export async function readRecord(
  vault: Vault,
  { job, store, folder }: StagingLocation,
): Promise<StagingRecord | undefined> {
  const path = `${folder}/journal`;
  try {
    const [first] = unsealJournal(vault, await store.get(path), path, fromHex(job));
    return first && (JSON.parse(new TextDecoder().decode(first)) as StagingRecord);
  } catch (error) {
    if (isError(error, 'NOT_FOUND', 'VAULT_DAMAGED', 'VAULT_NEWER', 'NO_PERMISSION', 'IO')) return undefined;
    throw error;
  }
}
