import { throwIfAborted } from '../../base/abort.ts';
import { MIB } from '../../base/units.ts';
import type { ByteSource } from '../../io/source.ts';
import { isZero } from '../is-zero.ts';

/** How many more bytes may be read of what nobody needs: it may be terabytes. */
export interface Budget {
  left: number;
  signal?: AbortSignal | undefined;
}

/** Whether there is anything but zeros in a range; unknown where the budget ended before. */
export async function hasData(
  source: ByteSource,
  range: { start: number; end: number },
  budget: Budget,
): Promise<'zero' | 'data' | 'unknown'> {
  for (let at = range.start; at < range.end; at += MIB) {
    throwIfAborted(budget.signal);
    const length = Math.min(MIB, range.end - at);
    if (budget.left < length) return 'unknown';
    budget.left -= length;
    const bytes = new Uint8Array(length);
    await source.read(at, bytes);
    if (!isZero(bytes)) return 'data';
  }
  return 'zero';
}
