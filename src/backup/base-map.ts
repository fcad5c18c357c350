import { isError } from '../base/errors.ts';
import { equalBytes, fromHex } from '../base/hex.ts';
import type { ChecksumTable } from '../cache/checksum-table.ts';
import { ID_BYTES, isZeroId, LEVELS, mapShape, PAGE_BYTES, PAGE_IDS } from '../disk/block-map.ts';
import type { PointBlocks } from '../point/point-blocks.ts';
import type { BlockHasher } from '../vault/block-ids.ts';

/** The ids of the leaf pages of a disk of the base point, and where the pages above them came from. */
export interface BaseMap {
  leafIds: Uint8Array;
  /** There is a checksum table, whatever is in it. */
  hasTable: boolean;
  fromTable: number;
  fromVault: number;
}

/**
 * Descends from the root to the leaves' ids. A page of the checksum table is used only when its recomputed id is the
 * one that the page above it tells; any other is fetched from the vault (P5).
 */
export async function readBaseMap(options: {
  size: number;
  blockSize: number;
  /** Hex. */
  root: string;
  table: ChecksumTable | undefined;
  blocks: PointBlocks;
  hasher: BlockHasher;
  /** Every id is looked up anyway: what of the map is lost counts as changed. */
  heals: boolean;
}): Promise<BaseMap> {
  const { size, blockSize, table, blocks, hasher, heals } = options;
  const shape = mapShape(size, blockSize);
  const map: BaseMap = {
    leafIds: fromHex(options.root),
    hasTable: table !== undefined,
    fromTable: 0,
    fromVault: 0,
  };
  const readPage = async (level: number, n: number, id: Uint8Array): Promise<Uint8Array> => {
    const page = new Uint8Array(PAGE_BYTES);
    if (isZeroId(id)) return page;
    if ((await table?.readPage(level, n, page)) && equalBytes(hasher.page(page), id)) {
      map.fromTable++;
      return page;
    }
    map.fromVault++;
    return await readOrLost(blocks, id, heals);
  };
  for (let level = LEVELS - 1; level > 0; level--) {
    const below = new Uint8Array((shape.pages[level - 1] as number) * ID_BYTES);
    for (let n = 0; n < (shape.pages[level] as number); n++) {
      const page = await readPage(level, n, map.leafIds.slice(n * ID_BYTES, (n + 1) * ID_BYTES));
      below.set(page.subarray(0, Math.min(PAGE_BYTES, below.byteLength - n * PAGE_BYTES)), n * PAGE_IDS * ID_BYTES);
    }
    map.leafIds = below;
  }
  return map;
}

/** Never written to: all leaves without data share it. */
const NO_IDS: { page: Uint8Array; isFetched: boolean } = { page: new Uint8Array(PAGE_BYTES), isFetched: false };

/** A leaf page of the base, not to be written to: from the checksum table if the page's id is right, else from the vault. Beyond the end it is empty. */
export async function readBaseLeaf(
  leaf: number,
  from: {
    leafIds: Uint8Array;
    table: ChecksumTable | undefined;
    blocks: PointBlocks;
    hasher: BlockHasher;
    heals: boolean;
  },
): Promise<{ page: Uint8Array; isFetched: boolean }> {
  const { leafIds, table, blocks, hasher, heals } = from;
  if ((leaf + 1) * ID_BYTES > leafIds.byteLength || isZeroId(leafIds, leaf)) return NO_IDS;
  const page = new Uint8Array(PAGE_BYTES);
  const id = leafIds.slice(leaf * ID_BYTES, (leaf + 1) * ID_BYTES);
  if ((await table?.readPage(0, leaf, page)) && equalBytes(hasher.page(page), id)) return { page, isFetched: false };
  return { page: await readOrLost(blocks, id, heals), isFetched: true };
}

/** A page of the base; where blocks are healed one that is damaged is empty: what it told counts as changed. @throws VAULT_DAMAGED */
async function readOrLost(blocks: PointBlocks, id: Uint8Array, heals: boolean): Promise<Uint8Array> {
  return await blocks.readPage(id).catch((error: unknown) => {
    if (heals && isError(error, 'VAULT_DAMAGED')) return new Uint8Array(PAGE_BYTES);
    throw error;
  });
}
