import { locationOf, readRecord } from '../staging/staging-location.ts';
import { segmentPath } from '../vault/block-index.ts';
import { packPath } from '../vault/block-writer.ts';
import { slotPath } from '../vault/check-slot.ts';
import { ownerOf } from '../vault/object-owner.ts';
import { unsealLock } from '../vault/sealed-file.ts';
import { troubleOf } from '../vault/trouble.ts';
import type { Vault } from '../vault/vault.ts';
import type { Findings } from './findings.ts';
import type { Survey } from './survey.ts';
import { tellNames, tellStrangers } from './tell.ts';

/** What the log knows of packs and segments, also of those that wait to be swept. */
export interface KnownNames {
  packs: ReadonlySet<string>;
  segments: ReadonlySet<string>;
  /** All of log and index could be read: what they do not tell of is needed by nothing. */
  isWhole: boolean;
}

/**
 * Tells what lies in a vault besides what its log needs: leftovers of interrupted runs, which harm nothing, and what
 * strangers put there. The state of the vault must be newer than the survey.
 */
export async function tellStrays(vault: Vault, found: Survey, known: KnownNames, findings: Findings): Promise<void> {
  await tellUnknownObjects(vault, found, known, findings);
  // Behind damage nobody knows which slots are listed.
  if (!vault.damage) tellUnlistedSlots(vault, found, findings);
  await tellStaging(vault, found, findings);
  await tellLocks(vault, found, findings);
  tellNames(findings, {
    ...{ code: 'QUARANTINE', names: found.quarantine.map((name) => `quarantine/${name}`), where: 'quarantine' },
    what: 'that `vhdvault repair` or `vhdvault key remove` set aside',
    cure: 'the vault needs none of what lies there, unless a repair was interrupted (then run `vhdvault repair` again): it may be deleted',
  });
  tellStrangers(found, findings);
}

interface Unknown {
  path: string;
  kind: 'pack' | 'segment' | 'list';
}

/** A listing finds them; nothing is decided from it. */
async function tellUnknownObjects(vault: Vault, found: Survey, known: KnownNames, findings: Findings): Promise<void> {
  const unknown: Unknown[] = [
    ...found.packs
      .filter((name) => !known.packs.has(name))
      .map((name) => ({ path: packPath(name), kind: 'pack' as const })),
    ...found.segments
      .filter((name) => !known.segments.has(name))
      .map((name) => ({ path: segmentPath(name), kind: 'segment' as const })),
    ...found.lists.map((name) => ({ path: `lists/${name}`, kind: 'list' as const })),
  ];
  const groups = { open: emptyGroup(), closed: emptyGroup(), nobody: emptyGroup() };
  for (const { path, kind } of unknown) {
    const bytes = await sizeOf(vault, path);
    // Gone: a run that was writing has tidied up, or gc freed it.
    if (bytes === undefined) continue;
    const job = await ownerOf(vault.store, path, kind);
    const group = groups[(job !== undefined && vault.state.jobs.get(job)) || 'nobody'];
    group.names.push(path);
    group.bytes += bytes;
  }
  const told = { where: 'packs, index' };
  if (!known.isWhole) moveTo(groups.closed, groups.nobody);
  // What closed the job may be behind the damage.
  if (vault.damage) moveTo(groups.closed, groups.open);
  tellNames(findings, {
    ...{ ...told, ...groups.open, code: 'ORPHANS', cure: '' },
    what: 'of runs that are not done: they go on, or were interrupted and the next run goes on with them',
  });
  tellNames(findings, {
    ...{ ...told, ...groups.closed, code: known.isWhole ? 'GARBAGE' : 'ORPHANS' },
    what: known.isWhole ? 'that no point needs' : 'that what can be read of log and index does not tell of',
    cure: known.isWhole ? '`vhdvault gc` frees them' : '',
  });
  tellNames(findings, {
    ...{ ...told, ...groups.nobody, code: 'STRANGER' },
    what: 'of the vault by name, which no run of it wrote',
    cure: 'the vault needs nothing of that, and gc leaves it alone: move it away if you know what it is',
  });
}

interface Group {
  names: string[];
  bytes: number;
}

function moveTo(group: Group, other: Group): void {
  group.names.push(...other.names.splice(0));
  group.bytes += other.bytes;
}

function emptyGroup(): Group {
  return { names: [], bytes: 0 };
}

function tellUnlistedSlots({ state }: Vault, found: Survey, findings: Findings): void {
  const listed = new Set(state.slots.map(({ name }) => name));
  for (const name of found.slots.filter((slot) => !listed.has(slot))) {
    findings.tell('info', {
      code: 'SLOT_UNLISTED',
      what: 'a key slot that the log does not list: it opens nothing',
      where: slotPath(name),
      cure: `\`vhdvault key remove ${name}\` takes it away, unless another \`vhdvault key\` is at work`,
    });
  }
}

async function tellStaging(vault: Vault, found: Survey, findings: Findings): Promise<void> {
  const leftovers: string[] = [];
  for (const name of found.staging) {
    const location = locationOf(vault.store, name);
    if (!location) {
      leftovers.push(`staging/${name}`);
      continue;
    }
    const record = await readRecord(vault, location);
    if (!record && (await isEmpty(vault, location.folder))) continue;
    const what = record
      ? `a run for ${record.item} that began ${new Date(record.started).toISOString()}: it goes on, or was interrupted, and the next one goes on with it`
      : 'of a run whose journal cannot be read: nobody knows whose it is';
    const cure = record ? '' : 'remove the folder if no backup is running';
    findings.tell('info', { code: 'STAGING', what, where: location.folder, cure });
  }
  tellNames(findings, {
    ...{ code: 'STAGING', names: leftovers, where: 'staging', cure: '' },
    what: 'that a run is writing now, or an interrupted one left',
  });
}

/** Or gone meanwhile: its run has ended. */
async function isEmpty({ store }: Vault, folder: string): Promise<boolean> {
  try {
    return (await store.list(folder)).length === 0;
  } catch (error) {
    troubleOf(error, folder);
    return false;
  }
}

async function tellLocks(vault: Vault, { locks, lockParts }: Survey, findings: Findings): Promise<void> {
  const unreadable: string[] = [];
  for (const path of locks.map((name) => `locks/${name}`)) if (!(await isReadable(vault, path))) unreadable.push(path);
  tellNames(findings, {
    ...{ code: 'LOCK', names: unreadable, where: 'locks', cure: '' },
    what: 'in place of a lock that cannot be read; the next run of the item takes over',
  });
  const parts: string[] = [];
  for (const path of lockParts.map((name) => `locks/${name}`))
    if ((await sizeOf(vault, path)) !== undefined) parts.push(path);
  tellNames(findings, {
    ...{ code: 'LOCK', names: parts, where: 'locks', cure: 'remove them if no backup is running' },
    what: 'that a run is making its lock of, or an interrupted one left',
  });
}

async function isReadable(vault: Vault, path: string): Promise<boolean> {
  try {
    // A lock that is gone was let go of.
    if ((await sizeOf(vault, path)) === undefined) return true;
    unsealLock(vault, await vault.store.get(path), path);
    return true;
  } catch (error) {
    return troubleOf(error, path).what === 'is missing';
  }
}

async function sizeOf({ store }: Vault, path: string): Promise<number | undefined> {
  try {
    return await store.size(path);
  } catch (error) {
    troubleOf(error, path);
    return 0;
  }
}
