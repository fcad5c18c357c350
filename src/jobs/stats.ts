import { throwIfAborted } from '../base/abort.ts';
import { isUnreadable } from '../base/errors.ts';
import { type CatalogPoint, catalog } from '../point/catalog.ts';
import { type BlockCounts, countBlocks, noCounts } from '../point/count-blocks.ts';
import type { PointBlocks } from '../point/point-blocks.ts';
import { mapProgress } from './map-progress.ts';
import { openBlocks } from './open-blocks.ts';
import type { StatsResult } from './point-types.ts';
import { bytesOf, damageWarnings } from './points.ts';
import { reading } from './reading.ts';
import type { VaultSession } from './session.ts';
import type { Watchable } from './types.ts';

type Stats = StatsResult['stats'];

const MOST_GROWTH = 5;

/**
 * What a vault holds and saves. Reads every page of its block maps once, and no data; 1 TiB of distinct blocks takes
 * 128 MiB of memory.
 * @throws CANCELLED, IO
 */
export async function stats(opened: VaultSession, options: Watchable = {}): Promise<StatsResult> {
  throwIfAborted(options.signal);
  const session = await reading(opened);
  const { vault, address } = session;
  await using blocks = await openBlocks(session);
  const points = catalog(vault);
  const counted = await countAll(session, { blocks, points }, options);
  const { segments, sequence } = vault.state;
  const full = counted.fullBytes;
  const fullBytes = sumOrNull(points.map((point) => full.get(point) ?? null));
  const uniqueBytes = fullBytes === null ? null : counted.counts.blocks.size * vault.config.blockSize;
  const storedBytes = segments.reduce((sum, { size, bytes }) => sum + size + bytes, 0);
  const byItem = itemsOf(points, full);
  return {
    stats: {
      ...{ vault: address, id: vault.id, items: byItem.length, points: points.length, logEntries: sequence },
      since: points[0] ? iso(points[0]) : null,
      virtualBytes: points.reduce((sum, point) => sum + virtualSize(point), 0),
      ...{ fullBytes, uniqueBytes },
      packs: segments.reduce((sum, { packs }) => sum + packs, 0),
      segments: segments.length,
      storedBytes,
      saved: { byDedup: factor(fullBytes, uniqueBytes), byCompression: factor(uniqueBytes, storedBytes) },
      free: (await vault.store.free()) ?? null,
      byItem,
      growth: growthOf(points),
    },
    warnings: [...counted.warnings, ...damageWarnings(session)],
  };
}

interface Counted {
  counts: BlockCounts;
  /** Null where damage hides it. */
  fullBytes: Map<CatalogPoint, number | null>;
  warnings: string[];
}

async function countAll(
  { vault }: VaultSession,
  { blocks, points }: { blocks: PointBlocks; points: readonly CatalogPoint[] },
  { signal, onProgress }: Watchable,
): Promise<Counted> {
  const counted: Counted = { counts: noCounts(), fullBytes: new Map(), warnings: [] };
  const unreadable: string[] = [];
  const tell = mapProgress(vault.clock, onProgress);
  const total = points.reduce((sum, point) => sum + pagesOf(point), 0);
  let begun = 0;
  for (const point of points) {
    let done = begun;
    const onPage = (): void => tell?.(++done, total);
    try {
      let count = 0;
      for (const { root } of point.manifest.disks)
        count += await countBlocks({ blocks, counts: counted.counts, signal, onPage }, root);
      counted.fullBytes.set(point, count * vault.config.blockSize);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      counted.fullBytes.set(point, null);
      unreadable.push(`${point.manifest.item}@${point.id}: ${error.message}`);
    }
    // Pages that another point has, too, were passed over with all below them.
    begun += pagesOf(point);
    tell?.(begun, total);
  }
  const [first, ...more] = unreadable;
  const rest = more.length > 0 ? `, and ${more.length} more like it` : '';
  if (first !== undefined) counted.warnings.push(`cannot tell what is in ${first}${rest}; run \`vhdvault verify\``);
  return counted;
}

function itemsOf(points: readonly CatalogPoint[], full: Counted['fullBytes']): Stats['byItem'] {
  const byItem = Map.groupBy(points, ({ manifest }) => manifest.item);
  const items = [...byItem].map(([item, all]) => ({
    item,
    points: all.length,
    virtualSize: virtualSize(all.at(-1) as CatalogPoint),
    fullBytes: sumOrNull(all.map((point) => full.get(point) ?? null)),
    stored: all.reduce((sum, point) => sum + bytesOf(point).stored, 0),
  }));
  return items.sort((a, b) => (a.item < b.item ? -1 : 1));
}

/** The points that added most, the largest first; of equal ones the older. */
function growthOf(points: readonly CatalogPoint[]): Stats['growth'] {
  return points
    .map((point) => ({ item: point.manifest.item, point: point.id, time: iso(point), stored: bytesOf(point).stored }))
    .filter(({ stored }) => stored > 0)
    .sort((a, b) => b.stored - a.stored)
    .slice(0, MOST_GROWTH);
}

function virtualSize({ manifest }: CatalogPoint): number {
  return manifest.disks.reduce((sum, { size }) => sum + size, 0);
}

function pagesOf({ manifest }: CatalogPoint): number {
  return manifest.disks.reduce((sum, { pages }) => sum + pages, 0);
}

function sumOrNull(parts: readonly (number | null)[]): number | null {
  return parts.reduce((sum, part) => (sum === null || part === null ? null : sum + part), 0);
}

function factor(whole: number | null, part: number | null): number | null {
  return whole !== null && part !== null && whole > 0 && part > 0 ? whole / part : null;
}

function iso({ time }: CatalogPoint): string {
  return new Date(time).toISOString();
}
