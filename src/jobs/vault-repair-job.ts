import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { throwIfAborted } from '../base/abort.ts';
import { ioError } from '../base/errors.ts';
import { LocationTable } from '../cache/location-table.ts';
import { everyPoint } from '../point/catalog.ts';
import { GC_ITEM } from '../prune/own-job.ts';
import { type BadPack, confirmPacks } from '../repair/confirm-packs.ts';
import { confirmSegments } from '../repair/confirm-segments.ts';
import { findKeptEntries, putEntryBack } from '../repair/put-back.ts';
import { addRebuilt, type FoundPacks, findPacks } from '../repair/rebuild-index.ts';
import { findRecoveredPacks, type RecoveredPack } from '../repair/recovered-packs.ts';
import { findBadEntry, setAside, untoldEntries } from '../repair/set-aside.ts';
import { segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { type AddedSegment, logEntryPath } from '../vault/vault.ts';
import { buildIndex } from '../verify/build-index.ts';
import { Findings, type PointFinding } from '../verify/findings.ts';
import { knownState } from '../verify/known-state.ts';
import { type Verified, verifyVault } from '../verify/verify-vault.ts';
import { type ItemLock, lockItem } from './item-lock.ts';
import { failedToWrite } from './lock-for-writing.ts';
import type { VaultSession } from './session.ts';
import { settleEntries } from './settle-entries.ts';
import type { RepairVaultOptions, RepairVaultResult, VaultRepairAction } from './vault-repair-types.ts';
import { withStaging } from './with-staging.ts';
import { withWorkFolder } from './work-folder.ts';

/**
 * Makes a damaged vault one that can be worked with: an unreadable entry of the log is put back from the copy that
 * this machine kept, or, where it is the newest, moved aside, an index that is damaged is
 * made anew from the packs, packs with wrong bytes are quarantined, so that the next backup stores again what they held; of those
 * whose files were brought back it is told that they are whole.
 * Deletes nothing. What could not be read for the device's sake is left as it is.
 * @throws VAULT_READ_ONLY, ITEM_LOCKED, CANCELLED, IO, NO_SPACE
 */
export async function repairVault(session: VaultSession, options: RepairVaultOptions = {}): Promise<RepairVaultResult> {
  const { vault } = session;
  const { dryRun = false, signal } = options;
  throwIfAborted(signal);
  const begun = vault.clock.monotonic();
  await using lock = dryRun ? undefined : await lockRepair(session, signal);
  return await withWorkFolder(session, async (folder) => {
    const repair = { session, options, folder, actions: [] as VaultRepairAction[] };
    await repairLog(repair, async () => lock?.isHeld() ?? false).catch(failedToWrite);
    const verified = await verifyAll(repair, 'before');
    const canWrite = vault.damage === undefined;
    if (canWrite) await session.compare();
    if (canWrite) await repairContent(repair, verified).catch(failedToWrite);
    const { actions } = repair;
    const left = dryRun || actions.length === 0 ? verified.findings : (await verifyAll(repair, 'after')).findings;
    const damage = left.filter(({ severity }) => severity === 'damage');
    const isDone = damage.every(({ code }) => code === 'QUARANTINED');
    return {
      ok: isDone && (!dryRun || actions.length === 0),
      ...{ actions, dryRun, findings: left },
      warnings: dryRun || !isDone ? [] : warningsOf(actions, damage.some(isOfLivePoint)),
      seconds: (vault.clock.monotonic() - begun) / 1000,
    };
  });
}

/** Two at once would move what the other one wrote. */
async function lockRepair({ vault, notice }: VaultSession, signal: AbortSignal | undefined): Promise<ItemLock> {
  // A copy may have lost its empty folders.
  await vault.store.makeFolder('locks').catch(failedToWrite);
  const lock = await lockItem(vault, GC_ITEM, signal);
  try {
    if (vault.config.singleWriter) await settleEntries(vault, notice).catch(failedToWrite);
    return lock;
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Nobody needs what only forgotten points lost. */
function isOfLivePoint({ points, forgotten }: PointFinding): boolean {
  return points.length > forgotten.length;
}

function warningsOf(actions: readonly VaultRepairAction[], isHit: boolean): string[] {
  const wasSetAside = actions.some(({ action }) => action === 'set-aside');
  return [...(wasSetAside ? [LOOK_AT_POINTS] : []), ...(isHit ? [BACK_UP_NOW] : [])];
}

const LOOK_AT_POINTS =
  'what the newest entry told is lost, perhaps the latest point of an item: see `vhdvault points`, and back up now';
const BACK_UP_NOW =
  'blocks of the points named are lost: back their items up now, and what the disks still hold is stored again; `vhdvault verify` tells what remains lost';

interface Repair {
  session: VaultSession;
  options: RepairVaultOptions;
  /** For what this run keeps in the cache. */
  folder: string;
  actions: VaultRepairAction[];
}

async function repairLog(
  { session, options: { dryRun }, actions }: Repair,
  isHeld: () => Promise<boolean>,
): Promise<void> {
  const { vault } = session;
  await vault.catchUp();
  const copies = await findKeptEntries(vault, session.copies, session.seenHead);
  for (const kept of copies) {
    const what = 'the entry of the log cannot be read: the copy of it that this machine kept is put in its place';
    if (dryRun || (await putEntryBack(vault, kept, isHeld)))
      actions.push({ action: 'put-back', what, where: logEntryPath(kept.sequence) });
  }
  if (dryRun && actions.length > 0) return;
  await vault.catchUp();
  const bad = await findBadEntry(vault);
  // What this machine has a copy of is not given up, whatever lies there in this moment.
  if (bad && copies.every(({ sequence }) => sequence !== bad.sequence)) {
    const what =
      'the newest entry of the log cannot be read, and this machine has no copy of it: it is moved aside; what it told, perhaps a point, is lost';
    const elsewhere = dryRun
      ? '; a machine that wrote to the vault may have a copy: run `vhdvault repair` there first'
      : '';
    actions.push({ action: 'set-aside', what: what + elsewhere, where: logEntryPath(bad.sequence) });
    if (!dryRun) {
      await setAside(vault, bad);
      // Who repairs knows that the history is another one now; others who had seen it whole are told, and who saw it longer.
      if (!session.seenHead || session.seenHead.sequence <= bad.sequence) {
        await session.compare({ accept: true });
        await session.rememberHead();
      }
    }
  }
  if (dryRun || vault.damage) return;
  for (const { sequence, hash } of await untoldEntries(vault))
    await vault.commit(() => ({ type: 'set-aside', sequence, hash }));
}

async function verifyAll({ session, options, folder }: Repair, name: string): Promise<Verified> {
  const { pool } = session;
  const vault = await session.vault.forReading();
  const { signal, onProgress } = options;
  await mkdir(join(folder, name)).catch((error: unknown) => {
    throw ioError(error, 'making the folder', folder);
  });
  return await verifyVault({
    ...{ vault, pool, folder: join(folder, name), points: () => everyPoint(vault), whole: true, read: 'all', signal },
    onBytes: (done, total) => onProgress?.({ phase: 'checking', done, total, disks: [] }),
  });
}

async function repairContent(repair: Repair, { missingFolders, badSegments, troubles }: Verified): Promise<void> {
  const { session, options, actions } = repair;
  const { vault } = session;
  for (const where of missingFolders) {
    actions.push({ action: 'make-folder', what: 'the folder was missing', where });
    if (!options.dryRun) await vault.store.makeFolder(where);
  }
  const suspected = vault.state.segments.filter(({ segment }) => badSegments.includes(segment));
  const damaged = await confirmSegments(vault, suspected);
  const found = damaged.length > 0 ? await rebuild(repair, damaged) : undefined;
  using index = new LocationTable(join(repair.folder, 'index.sqlite'));
  await buildIndex({ vault, known: knownState(vault), index, signal: options.signal }, new Findings());
  // Packs that the damaged segments named were not looked at before.
  const suspects = new Set([...troubles.map(({ pack }) => pack), ...(found?.packs ?? []).map(({ name }) => name)]);
  const bad = await confirmPacks({
    ...{ vault, index, suspects: [...suspects], signal: options.signal },
    hasGone: (pack) => vault.state.condemned.has(pack),
  });
  // First: those that are quarantined now were looked at twice already.
  for (const pack of await findRecoveredPacks({ vault, index, signal: options.signal })) await recover(repair, pack);
  for (const pack of bad) await quarantine(repair, pack);
}

async function rebuild(
  { session, options, folder, actions }: Repair,
  damaged: readonly AddedSegment[],
): Promise<FoundPacks> {
  const { vault } = session;
  const found = await findPacks(vault, damaged, options.signal);
  for (const { segment } of damaged) {
    const what = `the index segment is damaged: its packs are known again by their own directories (${found.packs.length} found)`;
    actions.push({ action: 'rebuild-index', what, where: segmentPath(segment) });
  }
  if (options.dryRun) return found;
  // As of a gc, whose lock it holds: the next one knows that it is dead.
  await withStaging(session, GC_ITEM, (staging) =>
    addRebuilt({ vault, staging, overlay: join(folder, 'rebuilt.sqlite'), damaged, found }),
  );
  return found;
}

async function quarantine(
  { session: { vault }, options, actions }: Repair,
  { pack, frames, what }: BadPack,
): Promise<void> {
  const count =
    frames === 'all' ? 'all of its blocks are' : `${frames.length} of its blocks ${frames.length === 1 ? 'is' : 'are'}`;
  actions.push({
    action: 'quarantine',
    what: `pack ${what}: nothing new refers to it, ${count} lost`,
    where: packPath(pack),
  });
  if (!options.dryRun) await vault.commit(() => ({ type: 'quarantine', pack, frames }));
}

async function recover(
  { session: { vault }, options, actions }: Repair,
  { pack, before, frames }: RecoveredPack,
): Promise<void> {
  const count = before === 'all' ? undefined : before.length - frames.length;
  const blocks = count === undefined ? 'blocks' : `${count} ${count === 1 ? 'block' : 'blocks'}`;
  actions.push({
    action: 'recover',
    what: `${blocks} of a quarantined pack can be had again: its file was brought back; nothing new refers to it, and gc stores elsewhere what it needs of it`,
    where: packPath(pack),
  });
  if (options.dryRun) return;
  // As it was looked at: nobody quarantined more of it meanwhile.
  await vault.commit(({ quarantined }) =>
    isDeepStrictEqual(quarantined.get(pack)?.frames, before) ? { type: 'recovered', pack, frames } : null,
  );
}
