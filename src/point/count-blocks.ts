import { IdTable } from './id-table.ts';
import { idsIn, walkMap } from './map-walk.ts';
import type { PointBlocks } from './point-blocks.ts';

/** What was counted so far, of all maps of a vault: a page that many points have is read once. */
export interface BlockCounts {
  /** How many blocks are below a page, less one: no page is empty, and so 2^32 fit. */
  pages: IdTable;
  /** The distinct blocks. */
  blocks: IdTable;
}

export function noCounts(): BlockCounts {
  return { pages: new IdTable(), blocks: new IdTable({ numbers: false }) };
}

/**
 * How many blocks of a disk are not zero, equal ones as often as they are there.
 * @throws VAULT_DAMAGED, IO, CANCELLED
 */
export async function countBlocks(
  options: { blocks: PointBlocks; counts: BlockCounts; signal?: AbortSignal | undefined; onPage?: () => void },
  root: string,
): Promise<number> {
  const { blocks, counts, signal, onPage } = options;
  const known = (id: Uint8Array): number | undefined => {
    onPage?.();
    const less = counts.pages.get(id);
    return less === undefined ? undefined : less + 1;
  };
  const visit = (page: Uint8Array, id: Uint8Array, level: number, below: number): number => {
    const count = level > 0 ? below : countLeaf(counts, page);
    counts.pages.set(id, 0, count - 1);
    return count;
  };
  return await walkMap({ blocks, signal, known, visit }, root);
}

function countLeaf({ blocks }: BlockCounts, page: Uint8Array): number {
  let count = 0;
  for (const id of idsIn(page)) {
    blocks.set(id);
    count++;
  }
  return count;
}
