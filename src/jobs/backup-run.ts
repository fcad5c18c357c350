import {
  type BackupPlan,
  checkDiskNames,
  checkDiskSize,
  checkPointCount,
  fullnessWarning,
  MOST_POINTS,
  planBackup,
} from '../backup/plan-backup.ts';
import { everyPoint, pointsOf } from '../point/catalog.ts';
import { checkParentRoots, type PointType } from '../point/manifest.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import type { Vault } from '../vault/vault.ts';
import type { BackupOptions } from './backup-types.ts';
import { clockWarning } from './check-clock.ts';
import { disksOf } from './latest-disks.ts';
import { rateLimitOf } from './rate-limit-of.ts';
import type { VaultSession } from './session.ts';
import { closeSources, openSources, type SourceDisk } from './source-disks.ts';
import type { NamedDisk } from './types.ts';

/** A backup (or the preview of one) whose disks are open and whose base is chosen: what its steps share. */
export interface BackupRun extends AsyncDisposable {
  session: VaultSession;
  item: string;
  options: BackupOptions;
  sources: SourceDisk[];
  plan: BackupPlan;
  /** Names of disks whose parents were found not to be what they were: they are read whole. */
  distrusted: Set<string>;
  /** Of what is read from the disks. */
  limit: RateLimit | null;
  /** Milliseconds since 1970, and by the monotonic clock. */
  started: number;
  begun: number;
  warnings: string[];
  notices: string[];
}

/**
 * Opens all disks before anything is written, and plans.
 * @throws USAGE, DISK_NAME, DISK_SIZE, SOURCE_CHANGED, and what opening the disks throws
 */
export async function openRun(
  session: VaultSession,
  item: string,
  disks: readonly NamedDisk[],
  options: BackupOptions,
): Promise<BackupRun> {
  const { vault } = session;
  const [started, begun] = [vault.clock.now(), vault.clock.monotonic()];
  const points = pointsOf(vault, item);
  checkPointCount(item, points.length);
  const wanted =
    disks.length > 0
      ? disks
      : disksOf(
          points.at(-1),
          { item, isForgotten: everyPoint(vault).some(({ manifest }) => manifest.item === item) },
          options.parentRoots,
        );
  checkDiskNames(
    wanted.map(({ name }) => name),
    options.bootDisk,
  );
  for (const { address } of wanted) checkParentRoots(address.parentRoots ?? []);
  const sources = await openSources(wanted, vault.clock, options.signal);
  try {
    for (const { name, disk } of sources) checkDiskSize(name, disk.size, vault.config.blockSize);
    const plan = planBackup({ type: options.type ?? 'auto', points, disks: sources.map(plannedDisk) });
    return {
      ...{ session, item, options, sources, plan, distrusted: new Set(), limit: rateLimitOf(options), started, begun },
      warnings: [
        ...clockWarning(session, options),
        ...fullnessWarning(item, points.length + 1),
        ...plan.warnings,
        ...sources.flatMap((source) => source.warnings),
      ],
      notices: [...plan.notices, ...sources.flatMap(({ notices }) => notices)],
      [Symbol.asyncDispose]: () => closeSources(sources),
    };
  } catch (error) {
    await closeSources(sources);
    throw error;
  }
}

/** The base was forgotten meanwhile, or what it had is bad: another choice, from the points that there are now. */
export function replan(run: BackupRun): void {
  const { session, item, options, sources } = run;
  const points = pointsOf(session.vault, item);
  run.plan = planBackup({ type: options.type ?? 'auto', points, disks: sources.map(plannedDisk) });
}

/** @throws ITEM_FULL where the item may not have so many more points */
export function checkItemRoom(vault: Vault, item: string, more = 1): void {
  // Counting means parsing: only where it can come to so many. All that are brought back are among them, forgotten.
  if (vault.state.points.size >= MOST_POINTS) checkPointCount(item, pointsOf(vault, item).length, more);
}

/** Type and base turn out otherwise: the index is damaged, so nothing can be taken for granted and every id is looked up. */
export function withoutBase(run: BackupRun, damage: string): void {
  const warning = `${damage}: what it held is stored again as far as these disks have it; \`vhdvault repair\` makes the index anew`;
  if (!run.warnings.includes(warning)) run.warnings.push(warning);
  const reason = 'the index of the vault is damaged: a full one';
  run.plan = { ...run.plan, type: 'full' satisfies PointType, base: undefined, bases: [], reason };
}

function plannedDisk({ name, disk, address, image }: SourceDisk): {
  name: string;
  size: number;
  path: string;
  uniqueId: string | null;
} {
  return { name, size: disk.size, path: address.path, uniqueId: image.uniqueId };
}
