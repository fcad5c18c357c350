import { VhdvaultError } from '../base/errors.ts';
import { MIB } from '../base/units.ts';
import type { Disk } from '../disk/disk.ts';
import type { Vault } from '../vault/vault.ts';

/** What to do where the disk of the vault is full. */
export const FULL_VAULT_CURE =
  'free some space on the file system of the vault; or give old points up: `vhdvault forget` them, then `vhdvault gc`, which frees at once with --soft-delete 0s --grace 0s (then no forgotten point can be brought back)';

/** What tells how much a run will store. */
export interface Forecast {
  threads: number;
  /** Nothing to compare with: all that the disks hold may be stored. */
  isFirst: boolean;
  /** What the last run stored, in bytes, that compared with a base as this one does; undefined where there was none. */
  lastStored: number | undefined;
  disks: readonly { disk: Disk }[];
}

/**
 * Space before the start (S2): refuses below the working set (two packs per thread, index and log), warns when the point might not fit:
 * a first full, or half as much again as the last run stored.
 * @throws NO_SPACE
 */
export async function checkSpace(vault: Vault, { threads, ...forecast }: Forecast): Promise<string[]> {
  const free = await vault.store.free();
  if (free === undefined) return [];
  const working = Math.min(vault.config.reserve, 16 * MIB) + threads * 4 * MIB;
  if (free < working) {
    throw new VhdvaultError(
      'NO_SPACE',
      `the vault has ${mib(free)} MiB free, a run needs at least ${mib(working)} MiB`,
      {
        hint: `${FULL_VAULT_CURE}; nothing was written`,
        details: { free, needed: working },
      },
    );
  }
  const { isFirst, lastStored = 0, disks } = forecast;
  const needed = isFirst ? await allocated(disks) : 1.5 * lastStored;
  if (needed <= free) return [];
  const why = isFirst ? `the disks hold up to ${mib(needed)} MiB` : `the last run stored ${mib(lastStored)} MiB`;
  return [
    `${why} and the vault has ${mib(free)} MiB free: the point may not fit. Free some space, or \`vhdvault forget\` old points and run \`vhdvault gc\``,
  ];
}

async function allocated(disks: Forecast['disks']): Promise<number> {
  let sum = 0;
  for (const { disk } of disks) {
    for await (const { kind, length } of disk.extents()) if (kind !== 'zero') sum += length;
  }
  return sum;
}

function mib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}
