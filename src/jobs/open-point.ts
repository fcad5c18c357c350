import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import type { Disk } from '../disk/disk.ts';
import { type CatalogPoint, findPoint } from '../point/catalog.ts';
import type { ManifestDisk } from '../point/manifest.ts';
import { PointDisk } from '../point/point-disk.ts';
import { openBlocks } from './open-blocks.ts';
import { reading } from './reading.ts';
import type { VaultSession } from './session.ts';

/**
 * Opens a disk of a recovery point, to read it straight from the vault. `disk` is its name; it may be left out where the
 * point has one disk. What is read was authentic and had the id that the point names, or the read fails. Close the disk
 * before the session; it stays as it is whatever is backed up meanwhile.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE when there is no such disk or not only one, VAULT_DAMAGED, CANCELLED, IO
 */
export async function openPoint(
  opened: VaultSession,
  ref: string,
  disk?: string,
  options: Cancellable = {},
): Promise<Disk> {
  throwIfAborted(options.signal);
  const session = await reading(opened);
  const facts = chooseDisk(findPoint(session.vault, ref), disk);
  return new PointDisk(facts, await openBlocks(session));
}

function chooseDisk({ id, manifest }: CatalogPoint, name: string | undefined): ManifestDisk {
  const { item, disks } = manifest;
  const names = disks.map((disk) => disk.name).join(', ');
  const found = name === undefined && disks.length === 1 ? disks[0] : disks.find((disk) => disk.name === name);
  if (found) return found;
  const what = name === undefined ? `has ${disks.length} disks, and none was named` : `has no disk ${name}`;
  throw new VhdvaultError('USAGE', `${item}@${id} ${what}`, { hint: `name one of ${names}` });
}
