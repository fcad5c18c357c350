import { mkdir, rm } from 'node:fs/promises';
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
import type { Vault, VaultKeys } from '../vault/vault.ts';
import { LocationTable } from './location-table.ts';

/** Plain data: a worker opens the same index from it. Without a cache file it reads the vault's segments. */
export interface IndexAddress {
  cacheFile: string | null;
  segments: string[];
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
  const segments = vault.state.segments.map(({ segment }) => segment);
  const cacheFile = join(folder, 'index.sqlite');
  try {
    await mkdir(folder, { recursive: true });
    const rebuilt = await update(cacheFile, vault);
    const address = { cacheFile, segments };
    return rebuilt
      ? { address, notice: `the local index did not fit the vault and was rebuilt (${rebuilt})` }
      : { address };
  } catch (error) {
    // A damaged segment must not stop who does not need it: read from the vault, it is passed over.
    const damage = isError(error, 'VAULT_DAMAGED') ? { damage: error.message } : undefined;
    if (!isCacheFault(error) && !damage) throw error;
    const notice = `no local index (${(error as Error).message}): the vault's own is used, which is slower`;
    return { address: { cacheFile: null, segments }, notice, ...damage };
  }
}

/** Returns why the cache had to be made anew, if it had. */
async function update(cacheFile: string, vault: Vault): Promise<string | undefined> {
  try {
    const wrong = await apply(cacheFile, vault);
    if (wrong === undefined) return undefined;
    await removeCache(cacheFile);
    await apply(cacheFile, vault);
    return wrong;
  } catch (error) {
    if (!isSqliteFault(error)) throw error;
    await removeCache(cacheFile);
    await apply(cacheFile, vault);
    return (error as Error).message;
  }
}

/** Adds the segments that came since; returns what does not fit, having changed nothing. */
async function apply(cacheFile: string, vault: Vault): Promise<string | undefined> {
  using table = new LocationTable(cacheFile, { durable: true });
  const known = table.fact('head');
  const [knownVault, knownSequence, knownHash] = known?.split(' ') ?? [
    vault.id,
    '0',
    toHex(vault.state.hashes[0] as Uint8Array),
  ];
  const from = Number(knownSequence);
  if (knownVault !== vault.id) return 'it is of another vault';
  // Another process may have taken it further than this one has read; if not, the vault went back, and what the cache
  // knows beyond is not there: to refer to it would lose data.
  if (from > vault.state.sequence) await vault.refresh();
  const { sequence, head, hashes, segments } = vault.state;
  if (toHex(hashes[from] ?? new Uint8Array(0)) !== knownHash) return 'the log has another history';
  if (from === sequence && known !== undefined) return undefined;
  for (const { segment } of segments.filter((added) => added.sequence > from)) await addSegment(table, vault, segment);
  table.transaction(() => table.setFact('head', `${vault.id} ${sequence} ${toHex(head)}`));
  return undefined;
}

/** Half a segment, or one more than the bound entry tells, is harmless: it is added again, row by row the same. */
async function addSegment(table: LocationTable, vault: Vault, name: string): Promise<void> {
  await using segment = await openSegment(vault.store, vault.keys, segmentPath(name));
  const ordinals: number[] = [];
  table.transaction(() => ordinals.push(...segment.packs.map((pack) => table.addPack(pack))));
  for await (const entries of segment.pages()) {
    const rows = entries.map((entry) => ({ ...entry, pack: ordinals[entry.pack] as number }));
    table.transaction(() => table.addBlocks(rows));
  }
}

async function removeCache(cacheFile: string): Promise<void> {
  for (const ending of ['', '-wal', '-shm', '-journal']) await rm(cacheFile + ending, { force: true });
}

/** Opens the index that an address names; what the cache does not answer rightly is asked of the segments on demand. */
export async function openIndex(address: IndexAddress, store: Store, keys: VaultKeys): Promise<BlockIndex> {
  if (address.cacheFile === null) return openSegmentIndex(store, keys, address.segments);
  try {
    const table = new LocationTable(address.cacheFile, { readOnly: true });
    return {
      find: async (ids) => ids.map((id) => findOrMiss(table, id)),
      [Symbol.asyncDispose]: async () => table[Symbol.dispose](),
    };
  } catch (error) {
    if (!isSqliteFault(error)) throw error;
    return openSegmentIndex(store, keys, address.segments);
  }
}

/** A damaged page of the cache is a miss: who reads asks the segments then, who writes stores the block again. */
function findOrMiss(table: LocationTable, id: Uint8Array): BlockLocation | undefined {
  try {
    return table.find(id);
  } catch (error) {
    if (isSqliteFault(error)) return undefined;
    throw error;
  }
}

function isSqliteFault(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_SQLITE_ERROR';
}

function isCacheFault(error: unknown): boolean {
  return isSqliteFault(error) || systemCode(error) !== undefined;
}
