import { VhdvaultError } from '../base/errors.ts';
import { FRAME_KINDS, segmentPath } from '../vault/block-index.ts';
import type { AddedSegment, VaultState } from '../vault/vault.ts';
import { blockedBySegment } from './blocked.ts';
import type { PackFacts } from './pack-table.ts';
import { type ReadOptions, readSegment } from './read-index.ts';

/** What the live segments list of packs that serve, by the kind of their blocks. */
export interface Inventory {
  pages: number;
  blocks: number;
  /** Blocks whose ids begin with these 12 bits. */
  blocksFrom: Float64Array;
}

const BUCKETS = 4096;
const BUCKET_BITS = 20;

/**
 * Reads all live segments, every byte of them: enters their packs, as the state has them, into the table, and counts. What it cannot read might tell
 * of blocks that points need.
 * @throws GC_BLOCKED, CANCELLED
 */
export async function takeInventory(
  options: ReadOptions,
  segments: readonly AddedSegment[],
  state: Pick<VaultState, 'condemned' | 'quarantined'>,
): Promise<Inventory> {
  const { vault, table } = options;
  const found: Inventory = { pages: 0, blocks: 0, blocksFrom: new Float64Array(BUCKETS) };
  const enter: ReadOptions['enter'] = (pack) => table.add(pack, state);
  for (const added of segments) {
    for await (const { page, numbers } of readSegment({ ...options, enter }, added)) {
      for (let n = 0; n < page.count; n++) {
        const number = numbers[page.pack(n)] as number;
        const pack = table.packs[number] as PackFacts;
        if (page.ordinal(n) >= pack.frames) throw blockedBySegment(vault, added, beyondPack(added, pack));
        const isPage = page.kind(n) === FRAME_KINDS.page;
        if (isPage) pack.holdsPages = true;
        if (!table.serves(number, page.ordinal(n))) continue;
        if (isPage) found.pages++;
        else {
          found.blocks++;
          (found.blocksFrom[page.first(n) >>> BUCKET_BITS] as number)++;
        }
      }
    }
  }
  table.complete();
  return found;
}

/** A part of all ids, by their first 32 bits: from `low` up to, but not with, `high`. */
export interface IdRange {
  low: number;
  high: number;
  /** Blocks of the index in it, equal ones as often as they are there. */
  blocks: number;
}

/** As few ranges as hold no more than `most` blocks each; at least one. */
export function rangesOf({ blocksFrom }: Inventory, most: number): IdRange[] {
  const ranges: IdRange[] = [];
  let open: IdRange = { low: 0, high: 0, blocks: 0 };
  for (const [bucket, blocks] of blocksFrom.entries()) {
    if (open.blocks > 0 && open.blocks + blocks > most) {
      ranges.push(open);
      open = { low: open.high, high: open.high, blocks: 0 };
    }
    open.blocks += blocks;
    open.high = (bucket + 1) * 2 ** BUCKET_BITS;
  }
  return [...ranges, open];
}

function beyondPack({ segment }: AddedSegment, { name, frames }: PackFacts): VhdvaultError {
  const path = segmentPath(segment);
  return new VhdvaultError('VAULT_DAMAGED', `${path} names a frame beyond the ${frames} of pack ${name}`, {
    details: { path },
  });
}
