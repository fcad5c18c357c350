import { checkName } from '../base/names.ts';
import { fingerprint } from '../disk/block-map.ts';
import { type CatalogPoint, catalog, findPoint, pointsOf } from '../point/catalog.ts';
import { sumBytes } from './backup-result.ts';
import type { VaultSession } from './session.ts';
import type { ItemsResult, PointSummary, PointsResult, ShowResult } from './types.ts';

/** Lists recovery points, newest last. @throws NO_SUCH_ITEM when the item has none, ITEM_NAME */
export async function points(session: VaultSession, item?: string): Promise<PointsResult> {
  const { vault } = session;
  if (item !== undefined) {
    checkName('item', item);
    findPoint(vault, item);
  }
  const found = item === undefined ? catalog(vault) : pointsOf(vault, item);
  return { points: found.map(summary), warnings: damageWarnings(session) };
}

/** Lists items with their latest point. */
export async function items(session: VaultSession): Promise<ItemsResult> {
  const byItem = Map.groupBy(catalog(session.vault), ({ manifest }) => manifest.item);
  const list = [...byItem].map(([item, all]) => {
    const latest = all.at(-1) as CatalogPoint;
    const { disks } = latest.manifest;
    return {
      item,
      points: all.length,
      latest: latest.id,
      time: iso(latest.time),
      virtualSize: disks.reduce((sum, { size }) => sum + size, 0),
      disks: disks.map(({ name }) => name),
      stored: all.reduce((sum, point) => sum + bytesOf(point).stored, 0),
    };
  });
  return { items: list.sort((a, b) => (a.item < b.item ? -1 : 1)), warnings: damageWarnings(session) };
}

/** One point in full. @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE */
export async function show(session: VaultSession, ref: string): Promise<ShowResult> {
  const point = findPoint(session.vault, ref);
  const { manifest, sequence, tool, time } = point;
  const disks = manifest.disks.map(({ name, size, root, source, blockSize, bytes }) => ({
    ...{ name, virtualSize: size, root, source, blockSize, bytes },
    fingerprint: fingerprint(size, blockSize, root),
  }));
  const { bootDisk, started } = manifest;
  return {
    point: {
      ...summary(point),
      ...{ sequence, bootDisk, tool, disks, reason: manifest.reason, tags: manifest.tags, note: manifest.note },
      started: iso(started),
      seconds: Math.max(0, time - started) / 1000,
    },
    warnings: damageWarnings(session),
  };
}

function summary(point: CatalogPoint): PointSummary {
  const { id, time, manifest } = point;
  const { item, type, base, consistency, disks } = manifest;
  return {
    ...{ item, point: id, time: iso(time), type, consistency },
    base: base === null ? null : `p${base}`,
    tier: 'vault',
    expires: null,
    disks: disks.map(({ name, size, root }) => ({ name, virtualSize: size, root })),
    bytes: bytesOf(point),
  };
}

function bytesOf({ manifest }: CatalogPoint): ReturnType<typeof sumBytes> {
  return sumBytes(manifest.disks.map(({ bytes }) => bytes));
}

/** An entry of the log is unreadable: what is shown is the state before it (L6). */
export function damageWarnings({ vault }: VaultSession): string[] {
  return vault.damage ? [`${vault.damage.message}; what is seen is the state before it: run \`vhdvault verify\``] : [];
}

function iso(time: number): string {
  return new Date(time).toISOString();
}
