import { throwIfAborted } from '../base/abort.ts';
import { isUnreadable } from '../base/errors.ts';
import { PAGE_IDS } from '../disk/block-map.ts';
import { type CatalogPoint, catalog } from '../point/catalog.ts';
import { type PointUsage, pointUsage, scanPays } from '../point/point-usage.ts';
import { openSegment, type SegmentEntry, segmentPath } from '../vault/block-index.ts';
import type { Vault } from '../vault/vault.ts';
import { mapProgress } from './map-progress.ts';
import { openBlocks } from './open-blocks.ts';
import type { VaultSession } from './session.ts';
import type { Watchable } from './types.ts';

/** What of a point no other point has, and what it shares; nulls and a warning where damage hides it. @throws CANCELLED */
export async function usageOf(
  session: VaultSession,
  point: CatalogPoint,
  options: Watchable,
): Promise<{ usage: PointUsage | { unique: null; shared: null }; warnings: string[] }> {
  const { vault } = session;
  try {
    await using blocks = await openBlocks(session);
    const others = catalog(vault).filter(({ id }) => id !== point.id);
    const common = {
      ...{ blocks, own: rootsOf([point]), others: rootsOf(others), signal: options.signal },
      onPage: mapProgress(vault.clock, options.onProgress),
    };
    const usage = scanPays(entriesOf(vault), idsOf(point))
      ? // A damaged segment is no damage to those who look up in the local index.
        await pointUsage({ ...common, index: readIndex(vault, options.signal) }).catch(async (error: unknown) => {
          if (!isUnreadable(error)) throw error;
          return await pointUsage(common);
        })
      : await pointUsage(common);
    return { usage, warnings: [] };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    const warning = `cannot tell what only ${point.id} holds: ${error.message}; run \`vhdvault verify\``;
    return { usage: { unique: null, shared: null }, warnings: [warning] };
  }
}

/** Of the index: a segment is little else than entries of 48 bytes. */
function entriesOf({ state }: Vault): number {
  return state.segments.reduce((sum, { size }) => sum + size, 0) / 48;
}

/** At most so many ids are in the maps of a point. */
function idsOf({ manifest }: CatalogPoint): number {
  return manifest.disks.reduce((sum, { pages }) => sum + pages * PAGE_IDS, 0);
}

async function* readIndex(vault: Vault, signal: AbortSignal | undefined): AsyncGenerator<readonly SegmentEntry[]> {
  for (const { segment: name } of vault.state.segments) {
    await using segment = await openSegment(vault.store, vault.keys, segmentPath(name));
    for await (const entries of segment.pages()) {
      throwIfAborted(signal);
      yield entries;
    }
  }
}

function rootsOf(points: readonly CatalogPoint[]): string[] {
  return points.flatMap(({ manifest }) => manifest.disks.map(({ root }) => root));
}
