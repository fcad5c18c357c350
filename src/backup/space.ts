import { VhdvaultError } from '../base/errors.ts';
import { MIB } from '../base/units.ts';
import type { Disk } from '../disk/disk.ts';
import type { Vault } from '../vault/vault.ts';

/** What to do where the disk of the vault is full. */
export const FULL_VAULT_CURE =
  'free some space on the file system of the vault; or give old points up: `vhdvault forget` them, then `vhdvault gc`, which frees at once with --soft-delete 0s --grace 0s (then no forgotten point can be brought back)';

/**
 * Space before the start (S2): refuses below the working set (two packs per thread, index and log), warns when a first
 * full might not fit.
 * @throws NO_SPACE
 */
export async function checkSpace(
  vault: Vault,
  threads: number,
  isFirst: boolean,
  disks: readonly { disk: Disk }[],
): Promise<string[]> {
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
  if (!isFirst) return [];
  let allocated = 0;
  for (const { disk } of disks) {
    for await (const { kind, length } of disk.extents()) if (kind !== 'zero') allocated += length;
  }
  if (allocated <= free) return [];
  return [`the disks hold up to ${mib(allocated)} MiB and the vault has ${mib(free)} MiB free: the point may not fit`];
}

function mib(bytes: number): number {
  return Math.ceil(bytes / MIB);
}
