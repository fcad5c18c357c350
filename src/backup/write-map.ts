import { throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { equalBytes, toHex } from '../base/hex.ts';
import type { ChecksumTable } from '../cache/checksum-table.ts';
import {
  buildLevels,
  ID_BYTES,
  isZeroId,
  isZeroPage,
  LEVELS,
  PAGE_BYTES,
  type PageHasher,
  pageOf,
} from '../disk/block-map.ts';
import type { BlockHasher } from '../vault/block-ids.ts';
import type { BlockStore } from './block-store.ts';

/** A map: its root in hex, how many pages it has that are not all zero, and the bytes of those that were stored. */
export interface WrittenMap {
  root: string;
  pages: number;
  stored: number;
  /** Of the stored bytes, those that an interrupted run had stored. */
  reused: number;
  /** Pages that the base has and that were stored again. */
  healed: number;
}

/** Root and page count of a map, of which nothing is written. */
export function mapOf(leafIds: Uint8Array, hasher: BlockHasher): Pick<WrittenMap, 'root' | 'pages'> {
  const { levels, root } = buildLevels(leafIds, zeroOr(hasher));
  let pages = 0;
  for (const ids of levels) {
    for (let n = 0; n * ID_BYTES < ids.byteLength; n++) if (!isZeroId(ids, n)) pages++;
  }
  return { root: toHex(root), pages };
}

/**
 * Builds the levels above the leaves, completes the new checksum table and stores, in tree order, the pages that the
 * base does not have (B3).
 */
export async function writeMap(options: {
  /** Ids of the leaf pages as found. */
  leafIds: Uint8Array;
  /** Ids of the base's leaf pages; empty without a base. */
  base: Uint8Array;
  table: ChecksumTable;
  blocks: BlockStore;
  hasher: BlockHasher;
  /** Pages that the base has are looked up, too. */
  heals: boolean;
  signal?: AbortSignal | undefined;
}): Promise<WrittenMap> {
  const { leafIds, base, table, blocks, hasher, heals, signal } = options;
  const hash = zeroOr(hasher);
  const found = buildLevels(leafIds, hash);
  const before = base.byteLength > 0 ? buildLevels(base, hash) : undefined;
  let pages = 0;
  let stored = 0;
  let reused = 0;
  let healed = 0;
  for (let level = LEVELS - 1; level >= 0; level--) {
    const ids = found.levels[level] as Uint8Array;
    const old = before?.levels[level];
    for (let n = 0; n * ID_BYTES < ids.byteLength; n++) {
      if (isZeroId(ids, n)) continue;
      pages++;
      throwIfAborted(signal);
      const id = ids.slice(n * ID_BYTES, (n + 1) * ID_BYTES);
      const isNew = !old || !equalBytes(old.subarray(n * ID_BYTES, (n + 1) * ID_BYTES), id);
      if (level > 0) await table.writePage(level, n, pageOf(found.levels[level - 1] as Uint8Array, n));
      if (!isNew && !heals) continue;
      const page = await pageAt(found.levels, table, level, n);
      checkPage(page, id, hasher, table.path);
      const [isInVault = false] = await blocks.areInVault([id]);
      const put = await blocks.put(id, page, isInVault);
      stored += put.bytes;
      if (!isNew && put.bytes > 0) healed++;
      if (put.reused) reused += put.bytes;
    }
  }
  return { root: toHex(found.root), pages, stored, reused, healed };
}

function zeroOr(hasher: BlockHasher): PageHasher {
  return (page) => (isZeroPage(page) ? new Uint8Array(ID_BYTES) : hasher.page(page));
}

/** Leaves come back from a file in the cache: one that did not keep them must not spoil the vault. */
function checkPage(page: Uint8Array, id: Uint8Array, hasher: BlockHasher, path: string): void {
  if (equalBytes(hasher.page(page), id)) return;
  throw new VhdvaultError('IO', `${path} does not hold what was written to it`, {
    hint: 'look at the disk of the cache, or name another folder with --cache; nothing was saved',
    details: { path },
  });
}

async function pageAt(
  levels: readonly Uint8Array[],
  table: ChecksumTable,
  level: number,
  n: number,
): Promise<Uint8Array> {
  if (level > 0) return pageOf(levels[level - 1] as Uint8Array, n);
  const page = new Uint8Array(PAGE_BYTES);
  await table.readPage(0, n, page);
  return page;
}
