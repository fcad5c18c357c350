import type { Frames } from '../vault/check-pack.ts';
import type { AddedSegment, Vault, VaultState } from '../vault/vault.ts';

/** What the log tells of packs and segments, as it was at one entry: other runs go on while verify works. */
export interface KnownState {
  segments: readonly AddedSegment[];
  condemned: ReadonlySet<string>;
  quarantined: ReadonlyMap<string, Frames>;
  lastCondemn: number;
}

export function knownState({ state }: Vault): KnownState {
  return {
    segments: [...state.segments],
    condemned: new Set(state.condemned.keys()),
    quarantined: new Map([...state.quarantined].map(([pack, { frames }]) => [pack, frames])),
    lastCondemn: state.lastCondemn,
  };
}

/** Something may be gone by right that `known` told of (D5): what was missed is no damage before it was looked for again. */
export function isOutdated(known: KnownState, now: VaultState): boolean {
  const live = new Set(now.segments.map(({ segment }) => segment));
  return now.lastCondemn !== known.lastCondemn || known.segments.some(({ segment }) => !live.has(segment));
}
