import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isError, systemCode } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import {
  type BlockIndex,
  type BlockLocation,
  openSegment,
  openSegmentIndex,
  segmentPath,
} from '../vault/block-index.ts';
import type { Store } from '../vault/open-store.ts';
import { unusablePacks, type Vault, type VaultKeys } from '../vault/vault.ts';
import { isBusy, isTableFault, LocationTable } from './location-table.ts';

/** Plain data: a worker opens the same index from it. Without a cache file it reads the vault's segments. */
export interface IndexAddress {
  cacheFile: string | null;
  segments: string[];
  /** Packs that are condemned or quarantined: nothing new may refer to them. */
  unusable: string[];
}

/**
 * Brings the local copy of the index up to the vault's newest entry. It is bound to vault, sequence and entry hash in
 * the transaction that changes it (P4); whatever is wrong with it, it is thrown away and made anew, and where that fails
 * too (a read-only home, a full disk) the vault's segments are used.
 */
export async function refreshIndexCache(
  folder: string,
  vault: Vault,
): Promise<{ address: IndexAddress; notice?: string; damage?: string }> {
  if (vault.isReader) return { address: { cacheFile: null, ...truthOf(vault) } };
  const cacheFile = join(folder, 'index.sqlite');
  try {
    await mkdir(folder, { recursive: true });
    const rebuilt = await update(cacheFile, vault);
    const address = { cacheFile, ...truthOf(vault) };
    return rebuilt ? { address, notice: `the local index was rebuilt (${rebuilt})` } : { address };
  } catch (error) {
    // A damaged segment must not stop who does not need it: read from the vault, it is passed over.
    const damage = isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER') ? { damage: error.message } : undefined;
    if (!isError(error, 'IO', 'NO_SPACE') && systemCode(error) === undefined && !damage) throw error;
    const notice = `no local index (${(error as Error).message}): the vault's own is used, which is slower`;
    return { address: { cacheFile: null, ...truthOf(vault) }, notice, ...damage };
  }
}

function truthOf({ state }: Vault): Omit<IndexAddress, 'cacheFile'> {
  return { segments: state.segments.map(({ segment }) => segment), unusable: unusablePacks(state) };
}

/** Returns why the cache had to be made anew, if it had. */
async function update(cacheFile: string, vault: Vault): Promise<string | undefined> {
  let wrong: string | undefined;
  const found = await stat(cacheFile).catch(() => undefined);
  try {
    wrong = await apply(cacheFile, vault);
  } catch (error) {
    // Another run builds it: this one works without, and does not pull it away from under the other.
    if (!isTableFault(error) || isBusy(error)) throw error;
    wrong = (error as Error).message;
  }
  if (wrong === undefined) return !found?.size && vault.state.segments.length > 0 ? 'there was none' : undefined;
  await removeCache(cacheFile);
  await apply(cacheFile, vault);
  return wrong;
}

/** Adds the segments that came since and takes out what is not usable any more, in one transaction with the fact that binds them; returns what does not fit. */
async function apply(cacheFile: string, vault: Vault): Promise<string | undefined> {
  using table = new LocationTable(cacheFile, { durable: true });
  const known = table.fact('head');
  if (known === undefined && table.packs().length > 0) return 'it is bound to no log entry';
  const [knownVault, from, knownHash] = known === undefined ? [vault.id, 0] : readHead(known);
  if (knownVault !== vault.id) return 'it is of another vault';
  // Another process may have taken it further than this one has read; if not, the vault went back, and what the cache
  // knows beyond is not there: to refer to it would lose data.
  if (from > vault.state.sequence) await vault.refresh();
  if (known !== undefined && toHex((await vault.hashAt(from)) ?? new Uint8Array(0)) !== knownHash)
    return 'the log has another history';
  const { sequence, segments, floor } = vault.state;
  if (known !== undefined && from < floor) return 'packs were swept since';
  if (from === sequence && known !== undefined) return undefined;
  const [head, unusable] = [headOf(vault), new Set(unusablePacks(vault.state))];
  const added = segments.filter((segment) => segment.sequence > from);
  await table.longTransaction(async () => {
    for (const { segment } of added) await addSegment(table, vault, segment);
    table.removePacks(table.packs().filter(({ name }) => unusable.has(name)));
    table.setFact('head', head);
  });
  return undefined;
}

function headOf({ id, state }: Vault): string {
  return `${id} ${state.sequence} ${toHex(state.head)}`;
}

function readHead(head: string): [vault: string, sequence: number, hash: string] {
  const [vault = '', sequence = '', hash = ''] = head.split(' ');
  return [vault, Number(sequence), hash];
}

async function addSegment(table: LocationTable, vault: Vault, name: string): Promise<void> {
  await using segment = await openSegment(vault.store, vault.keys, segmentPath(name));
  const ordinals = segment.packs.map((pack) => table.addPack(pack));
  for await (const entries of segment.pages()) {
    table.addBlocks(entries.map((entry) => ({ ...entry, pack: ordinals[entry.pack] as number })));
  }
}

async function removeCache(cacheFile: string): Promise<void> {
  for (const ending of ['', '-wal', '-shm', '-journal']) await rm(cacheFile + ending, { force: true, recursive: true });
}

/** Opens the index that an address names: the cache, with the vault's segments behind it, or these alone. */
export async function openIndex(address: IndexAddress, store: Store, keys: VaultKeys): Promise<BlockIndex> {
  const table = openTableOf(address);
  let segments: Promise<BlockIndex> | undefined;
  const truth = (): Promise<BlockIndex> =>
    (segments ??= openSegmentIndex(store, keys, address.segments, address.unusable));
  return {
    find: async (ids) => (table ? findOrMiss(table, ids) : (await truth()).find(ids)),
    findAll: async (id) => (await truth()).findAll(id),
    async [Symbol.asyncDispose]() {
      table?.[Symbol.dispose]();
      await (await segments)?.[Symbol.asyncDispose]();
    },
  };
}

function openTableOf({ cacheFile }: IndexAddress): LocationTable | undefined {
  try {
    return cacheFile === null ? undefined : new LocationTable(cacheFile, { readOnly: true });
  } catch (error) {
    if (isTableFault(error)) return undefined;
    throw error;
  }
}

/** A damaged page of the cache is a miss: who reads asks the segments then, who writes stores the block again. */
function findOrMiss(table: LocationTable, ids: readonly Uint8Array[]): (BlockLocation | undefined)[] {
  try {
    return table.findMany(ids);
  } catch (error) {
    if (!isTableFault(error)) throw error;
    return ids.length === 1 ? [undefined] : ids.flatMap((id) => findOrMiss(table, [id]));
  }
}
