import { FOR_EVER, isPinned, isSpared, type Vault } from '../vault/vault.ts';
import type { Sparing } from './mark.ts';

/**
 * How many forgotten points are kept so that they can be brought back, and from when on a gc gives them up (milliseconds since 1970
 * UTC): each by itself. Of those that are pinned for ever, or were forgotten by a clock in doubt, nobody can tell.
 */
export function softDeleted({ state }: Vault, { now, softDelete }: Sparing): { points: number; at: number }[] {
  return [...state.points.values()].flatMap((point) => {
    const since = point.forgotten?.time ?? null;
    if (since === null || !isSpared(point, now, softDelete)) return [];
    const pinned = isPinned(point, now) ? (point.pinned as number) : 0;
    return pinned === FOR_EVER ? [] : [{ points: 1, at: Math.max(since + softDelete, pinned) }];
  });
}
