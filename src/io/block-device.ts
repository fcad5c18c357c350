import { readFile } from 'node:fs/promises';
import { SECTOR } from '../base/units.ts';

/**
 * Size of a block device in bytes, or undefined where the kernel does not tell. Linux only, partitions too; always in
 * units of 512 bytes, whatever the sectors of the device.
 */
export async function deviceSize(rdev: number): Promise<number | undefined> {
  const sectors = await deviceAttribute(rdev, 'size');
  return sectors !== undefined && /^\d+$/.test(sectors) ? Number(sectors) * SECTOR : undefined;
}

/** Whether the kernel lets nobody write to a device, as `lvcreate --snapshot --permission r` makes it. */
export async function isReadOnlyDevice(rdev: number): Promise<boolean> {
  return (await deviceAttribute(rdev, 'ro')) === '1';
}

async function deviceAttribute(rdev: number, name: string): Promise<string | undefined> {
  const major = (rdev >> 8) & 0xfff;
  const minor = (rdev & 0xff) | ((rdev >> 12) & 0xfff00);
  const text = await readFile(`/sys/dev/block/${major}:${minor}/${name}`, 'utf8').catch(() => undefined);
  return text?.trim();
}

/**
 * Finds the end of what can be read. `readAt` reads one byte and tells how many it got: none is the end, and only that.
 * What it throws passes through, for a bad sector taken for the end would cut the disk short without a word.
 */
export async function probeEnd(readAt: (position: number) => Promise<number>): Promise<number> {
  if ((await readAt(0)) === 0) return 0;
  let high = 1;
  while ((await readAt(high)) === 1) high *= 2;
  let low = high / 2;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if ((await readAt(middle)) === 1) low = middle;
    else high = middle;
  }
  return high;
}
