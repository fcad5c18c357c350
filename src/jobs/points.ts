import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { checkName } from '../base/names.ts';
import { fingerprint } from '../disk/block-map.ts';
import { type CatalogPoint, catalog, everyPoint, findPoint } from '../point/catalog.ts';
import type { Vault } from '../vault/vault.ts';
import { sumBytes } from './backup-result.ts';
import { logTime } from './check-clock.ts';
import { iso, standingOf } from './point-standing.ts';
import type { ItemsResult, PointSummary, PointsOptions, PointsResult, ShowResult } from './point-types.ts';
import { reading } from './reading.ts';
import type { VaultSession } from './session.ts';
import type { Watchable } from './types.ts';
import { usageOf } from './usage.ts';

/**
 * Lists recovery points, newest last; with `tags` only those that have all of them, with `forgotten` only those that were
 * forgotten and can be brought back.
 * @throws NO_SUCH_ITEM when the item has none, ITEM_NAME, CANCELLED
 */
export async function points(
  opened: VaultSession,
  item?: string,
  { tags = [], forgotten = false, signal }: PointsOptions = {},
): Promise<PointsResult> {
  throwIfAborted(signal);
  const session = await reading(opened);
  const { vault } = session;
  if (item !== undefined) checkItem(vault, item, forgotten);
  const found = everyPoint(vault).filter(
    ({ logged, manifest }) =>
      (logged.forgotten !== undefined) === forgotten &&
      (item === undefined || manifest.item === item) &&
      tags.every((tag) => manifest.tags.includes(tag)),
  );
  const now = logTime(session);
  return { points: found.map((point) => summary(vault, point, now)), warnings: damageWarnings(session) };
}

/** Of an item that has points, none may be forgotten: that is an empty list. */
function checkItem(vault: Vault, item: string, forgotten: boolean): void {
  checkName('item', item);
  const isKnown = forgotten && everyPoint(vault).some(({ manifest }) => manifest.item === item);
  if (!isKnown) findPoint(vault, item);
}

/** Lists items with their latest point. @throws CANCELLED */
export async function items(opened: VaultSession, options: Cancellable = {}): Promise<ItemsResult> {
  throwIfAborted(options.signal);
  const session = await reading(opened);
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

/**
 * One point in full, with what only it holds: for this the block maps of all points are compared.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE, CANCELLED
 */
export async function show(opened: VaultSession, ref: string, options: Watchable = {}): Promise<ShowResult> {
  throwIfAborted(options.signal);
  const session = await reading(opened);
  const point = findPoint(session.vault, ref);
  const { manifest, sequence, tool, time } = point;
  const disks = manifest.disks.map(({ name, size, root, source, blockSize, bytes }) => ({
    ...{ name, virtualSize: size, root, source, blockSize, bytes },
    fingerprint: fingerprint(size, blockSize, root),
  }));
  const { bootDisk, started, reason, hooks } = manifest;
  const { usage, warnings } = await usageOf(session, point, options);
  return {
    point: {
      ...summary(session.vault, point, logTime(session)),
      ...{ sequence, bootDisk, tool, disks, reason, hooks },
      started: iso(started),
      seconds: Math.max(0, time - started) / 1000,
      ...usage,
    },
    warnings: [...warnings, ...damageWarnings(session)],
  };
}

/** `now` by the log's clock. */
function summary(vault: Vault, point: CatalogPoint, now: number): PointSummary {
  const { id, time, manifest } = point;
  const { item, type, base, consistency, disks, tags, note } = manifest;
  return {
    ...{ item, point: id, time: iso(time), type, consistency },
    base: base === null ? null : `p${base}`,
    tier: 'vault',
    ...standingOf(vault, point, now),
    disks: disks.map(({ name, size, root }) => ({ name, virtualSize: size, root })),
    bytes: bytesOf(point),
    ...{ tags, note },
  };
}

/** What a point took and added, over all its disks. @internal */
export function bytesOf({ manifest }: CatalogPoint): ReturnType<typeof sumBytes> {
  return sumBytes(manifest.disks.map(({ bytes }) => bytes));
}

/** @internal An entry of the log is unreadable: what is shown is what all others tell (L6). */
export function damageWarnings({ vault }: VaultSession): string[] {
  return vault.damage
    ? [`${vault.damage.message}; what it told is not known, perhaps a point: run \`vhdvault verify\``]
    : [];
}
