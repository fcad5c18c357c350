import { isError } from '../base/errors.ts';
import { adoptTable } from '../cache/checksum-table.ts';
import { refreshIndexCache } from '../cache/index-cache.ts';
import type { Vault } from '../vault/vault.ts';

/** A disk of a point that is durable now: its new checksum table, and where that belongs. */
export interface MergedDisk {
  from: string;
  to: string;
}

/**
 * Merge-back: the point's delta becomes part of the latest state, in the checksum tables and in the local index. Only
 * the cache changes, so a failure costs the next run time; it is returned as a notice.
 */
export async function mergeBack(vault: Vault, folder: string, disks: readonly MergedDisk[]): Promise<string[]> {
  const notices: string[] = [];
  for (const { from, to } of disks) {
    try {
      await adoptTable(from, to);
    } catch (error) {
      notices.push(
        `the checksum table was not kept (${(error as Error).message}): the next run reads the map from the vault`,
      );
    }
  }
  try {
    const { notice } = await refreshIndexCache(folder, vault);
    return notice ? [...notices, notice] : notices;
  } catch (error) {
    if (!isError(error)) throw error;
    return [...notices, `the local index was not brought up to date (${error.message}): the next run does it`];
  }
}
