import { IN_NO_SEGMENT } from '../point/point-blocks.ts';
import type { Lost } from '../restore/lost.ts';

interface Restored {
  disk: { name: string; size: number };
  /** Of the image. */
  path: string;
  dryRun: boolean;
}

/** What the user must know of an image that is not whole: none where it is. */
export function lostWarning({ disk, path, dryRun }: Restored, lost: Lost): string[] {
  const { ranges, bytes, ioBytes, cause } = lost;
  if (ranges.length === 0) return [];
  const where = ranges.length === 1 ? 'one range' : `${ranges.length} ranges`;
  const what = `${disk.name}: ${bytes} of ${disk.size} bytes, in ${where}, cannot be read from the vault (${cause})`;
  const then = dryRun
    ? 'and would be zeros; this is what the block map tells, a restore may find more'
    : `and are zeros in ${path}: do not rely on it before you know what was there`;
  const again = `; ${ioBytes === bytes ? 'all' : ioBytes} of these bytes met an I/O error or a missing permission, and may be read when its cause is gone`;
  const index = cause?.endsWith(IN_NO_SEGMENT)
    ? '; where the index is damaged, `vhdvault repair` makes it anew, and another restore has them all'
    : '';
  return [`${what}, ${then}${index}${ioBytes > 0 ? again : ''}`];
}
