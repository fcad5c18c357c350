import { preview } from '../backup/capture.ts';
import type { CapturedDisk } from '../backup/capture-options.ts';
import { checkUnchanged } from '../backup/scan.ts';
import { throwIfAborted } from '../base/abort.ts';
import { checkName } from '../base/names.ts';
import { previewResult } from './backup-result.ts';
import { openRun } from './backup-run.ts';
import type { BackupOptions, BackupPreview } from './backup-types.ts';
import { checkOptions } from './check-options.ts';
import { parseDiskArguments } from './disk-argument.ts';
import { distrust, type KnownParents, knownParents } from './known-parents.ts';
import { captureDisks, indexFor, mustHeal, reasonOf, remarksOf } from './make-point.ts';
import { openAddress } from './open-address.ts';
import { damageWarnings } from './points.ts';
import { reading } from './reading.ts';
import { scanProgress } from './scan-progress.ts';
import type { VaultSession } from './session.ts';
import type { DiskArgument } from './types.ts';

/**
 * Reads all disks and tells what a backup would find changed. Stores nothing, locks nothing, runs no hook; a vault that
 * cannot be written will do.
 * @throws ITEM_NAME, DISK_NAME, SOURCE_CHANGED, CANCELLED, and what opening the disks throws
 */
export async function previewBackup(
  opened: VaultSession,
  item: string,
  disks: readonly DiskArgument[],
  options: BackupOptions = {},
): Promise<BackupPreview> {
  checkName('item', item);
  checkOptions(options);
  const named = parseDiskArguments(disks, { parentRoots: options.parentRoots });
  throwIfAborted(options.signal);
  await opened.vault.catchUp();
  const session = await reading(opened);
  const { vault, pool } = session;
  await using run = await openRun(session, item, named, options);
  if ((options.pre ?? options.post) !== undefined) run.notices.push('--pre and --post are not run by a preview');
  run.warnings.push(...damageWarnings(session));
  const index = await indexFor(run);
  const progress = scanProgress(run.sources, options.onProgress);
  const heals = mustHeal(run);
  const look = async (): Promise<{ captured: CapturedDisk[]; parents: KnownParents[] }> => {
    const parents = await knownParents(run, heals);
    const captured = await preview({
      ...{ vault, pool, openDisk: openAddress, heals, limit: run.limit, index: index.address },
      disks: captureDisks(run, { job: 'preview', run: 'none' }, parents),
      signal: options.signal,
      onCounts: progress.counts,
    });
    return distrust(run, captured) ? await look() : { captured, parents };
  };
  const { captured, parents } = await look();
  for (const source of run.sources) await checkUnchanged(source.disk, source);
  progress.phase('done');
  const seconds = (vault.clock.monotonic() - run.begun) / 1000;
  const reason = reasonOf(run, captured, remarksOf(index.remark, parents));
  return previewResult(run, { captured, reason, seconds });
}
