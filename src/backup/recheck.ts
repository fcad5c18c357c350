import { throwIfAborted } from '../base/abort.ts';
import { equalBytes, fromHex } from '../base/hex.ts';
import { type ChecksumTable, openTable } from '../cache/checksum-table.ts';
import { type IndexAddress, openIndex } from '../cache/index-cache.ts';
import { LocationTable } from '../cache/location-table.ts';
import { ID_BYTES, isZeroId, LEVELS, mapShape, PAGE_BYTES, PAGE_IDS } from '../disk/block-map.ts';
import { type BlockHasher, createBlockHasher } from '../vault/block-ids.ts';
import { packPath } from '../vault/block-writer.ts';
import type { Vault } from '../vault/vault.ts';
import type { CaptureDisk, CapturedDisk } from './capture-options.ts';

/**
 * Rule J4 for a writer that was beaten by somebody who took packs away: whether every id of the new maps, pages included, is
 * still in a pack that may be referred to, or in one of the job's own, which must be there with its size. The base counts
 * for nothing here: what it has is in the index, or must be stored again.
 */
export async function holdsEveryBlock(options: {
  vault: Vault;
  /** Of the state that the commit rests on. */
  index: IndexAddress;
  /** Of the job's own packs. */
  overlay: string;
  disks: readonly CaptureDisk[];
  captured: readonly CapturedDisk[];
  signal?: AbortSignal | undefined;
}): Promise<boolean> {
  const { vault, disks, captured, signal } = options;
  const { store, keys, config } = vault;
  using own = new LocationTable(options.overlay, { readOnly: true });
  for (const { name, size } of own.packs()) if ((await store.size(packPath(name))) !== size) return false;
  await using index = await openIndex(options.index, store, keys);
  const isThere = async (ids: readonly Uint8Array[]): Promise<boolean> => {
    throwIfAborted(signal);
    const others = ids.filter((id) => own.find(id) === undefined);
    return (await index.find(others)).every((place) => place !== undefined);
  };
  for (const [n, { table: path, size }] of disks.entries()) {
    await using table = await openTable(path, mapShape(size, config.blockSize));
    const root = fromHex((captured[n] as CapturedDisk).root);
    if (
      !table ||
      !(await holdsBelow({ table, hasher: createBlockHasher(keys), isThere }, { level: LEVELS, n: 0 }, root))
    )
      return false;
  }
  return true;
}

interface Walk {
  table: ChecksumTable;
  hasher: BlockHasher;
  isThere(ids: readonly Uint8Array[]): Promise<boolean>;
}

/** All pages and blocks whose ids are in `ids`, the content of page `n` of `level`. A page that the table did not keep does not hold. */
async function holdsBelow(walk: Walk, { level, n }: { level: number; n: number }, ids: Uint8Array): Promise<boolean> {
  const wanted: { at: number; id: Uint8Array }[] = [];
  for (let k = 0; k * ID_BYTES < ids.byteLength; k++) {
    if (!isZeroId(ids, k)) wanted.push({ at: n * PAGE_IDS + k, id: ids.subarray(k * ID_BYTES, (k + 1) * ID_BYTES) });
  }
  if (!(await walk.isThere(wanted.map(({ id }) => id)))) return false;
  if (level === 0) return true;
  for (const { at, id } of wanted) {
    const page = new Uint8Array(PAGE_BYTES);
    const isWhole = (await walk.table.readPage(level - 1, at, page)) && equalBytes(walk.hasher.page(page), id);
    if (!isWhole || !(await holdsBelow(walk, { level: level - 1, n: at }, page))) return false;
  }
  return true;
}
