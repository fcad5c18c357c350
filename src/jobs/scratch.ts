import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { VaultSession } from './session.ts';

/** File of the checksum table of a disk of an item. */
export function tableOf({ cache, vault }: VaultSession, item: string, disk: string): string {
  return join(cache, 'tables', vault.nameHash('table', item, disk));
}

/** File of the table that a job is writing. */
export function newTable(session: VaultSession, item: string, disk: string, job: string): string {
  return `${tableOf(session, item, disk)}.${job}`;
}

/** File of a job's overlay. */
export function overlayOf({ cache }: VaultSession, job: string): string {
  return join(cache, 'jobs', `${job}.sqlite`);
}

/** Removes what a job kept in the cache while it ran. */
export async function removeScratch(session: VaultSession, job: string): Promise<void> {
  const tables = join(session.cache, 'tables');
  const unfinished = (await readdir(tables).catch(() => [])).filter((name) => name.endsWith(`.${job}`));
  const overlay = overlayOf(session, job);
  const files = [...unfinished.map((name) => join(tables, name)), overlay, `${overlay}-wal`, `${overlay}-shm`];
  for (const file of files) await rm(file, { force: true });
}
