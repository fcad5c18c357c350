import type { Clock } from '../base/clock.ts';
import { PAGE_BYTES } from '../disk/block-map.ts';
import type { Watchable } from './types.ts';

const INTERVAL = 100;

/** Tells about ten times a second how far a walk of block maps is: pages in, bytes out. */
export function mapProgress(
  clock: Clock,
  onProgress: Watchable['onProgress'],
): ((done: number, total: number) => void) | undefined {
  if (!onProgress) return undefined;
  let next = clock.monotonic();
  return (done, total) => {
    if (done < total && clock.monotonic() < next) return;
    next = clock.monotonic() + INTERVAL;
    onProgress({ phase: 'reading', done: done * PAGE_BYTES, total: total * PAGE_BYTES, disks: [] });
  };
}
