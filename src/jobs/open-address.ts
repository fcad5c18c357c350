import type { DiskAddress } from '../disk/address.ts';
import type { Disk } from '../disk/disk.ts';
import { openDisk } from '../image/open-disk.ts';

/** Disk address -> disk: the one place that knows all kinds. */
export function openAddress(address: DiskAddress): Promise<Disk> {
  const { path, format, parentRoots } = address;
  return openDisk(path, { ...(format && { format }), ...(parentRoots && { parentRoots }) });
}
