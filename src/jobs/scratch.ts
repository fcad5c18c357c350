import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { VaultSession } from './session.ts';

/*
 * What a run keeps in the cache while it works: named by its job and its own token, since two runs may have one job
 * (a run that was taken for dead, and the one that went on with it).
 */

/** File of the checksum table of a disk of an item. */
export function tableOf({ cache, vault }: VaultSession, item: string, disk: string): string {
  return join(cache, 'tables', vault.nameHash('table', item, disk));
}

/** File of what the latest point of a disk was read from. */
export function stampsOf({ cache, vault }: VaultSession, item: string, disk: string): string {
  return join(cache, 'sources', vault.nameHash('stamps', item, disk));
}

/** File of the table that a run is writing. */
export function newTable(session: VaultSession, item: string, disk: string, { job, run }: RunName): string {
  return `${tableOf(session, item, disk)}.${job}.${run}`;
}

/** File of a run's overlay. */
export function overlayOf({ cache }: VaultSession, { job, run }: RunName): string {
  return join(cache, 'jobs', `${job}.${run}.sqlite`);
}

export interface RunName {
  job: string;
  run: string;
}

/** Runs of a job that left a table of the disk behind. */
export async function unfinishedTables(session: VaultSession, table: string, job: string): Promise<string[]> {
  const names = await readdir(join(session.cache, 'tables')).catch(() => []);
  return names.map((name) => join(session.cache, 'tables', name)).filter((path) => path.startsWith(`${table}.${job}.`));
}

/** Removes what a run kept in the cache; without `run`, what all runs of the job did. What stays goes when it is old. */
export async function removeScratch(
  { cache }: VaultSession,
  { job, run = '' }: Partial<RunName> & { job: string },
): Promise<void> {
  const [tables, jobs] = [join(cache, 'tables'), join(cache, 'jobs')];
  const unfinished = (await readdir(tables).catch(() => [])).filter((name) => name.includes(`.${job}.${run}`));
  const overlays = (await readdir(jobs).catch(() => [])).filter((name) => name.startsWith(`${job}.${run}`));
  const files = [...unfinished.map((name) => join(tables, name)), ...overlays.map((name) => join(jobs, name))];
  for (const file of files) await rm(file, { force: true }).catch(() => undefined);
}
