import { newer } from '../codec/object-header.ts';
import type { BadFrames } from './bad-frames.ts';
import type { Adds, Slot } from './entry-body.ts';

/** A recovery point as the log knows it; the manifest is the point room's. */
export interface LoggedPoint {
  /** 16 hex digits. */
  point: string;
  sequence: number;
  time: number;
  tool: string;
  job: string;
  adds: readonly Adds[];
  manifest: Uint8Array;
  /** Of a later `label` entry: what became known after the point was made. */
  label?: Uint8Array;
  /** Milliseconds since 1970 UTC; not pinned where it is left out. */
  pinned?: number;
  /** By which entry, and when; null: nobody knows yet, its clock was doubted. */
  forgotten?: Since | { sequence: number; time: null };
}

/** An entry, and the log's clock at it, in milliseconds since 1970 UTC. */
export interface Since {
  sequence: number;
  time: number;
}

/** A segment of the index, and the entry that added it. */
export interface AddedSegment extends Adds {
  sequence: number;
  job: string;
}

/** The state of a vault: the replay of its log and of nothing else (L1). Names and ids are hex. */
export interface VaultState {
  /** Number and hash of the newest entry. */
  sequence: number;
  head: Uint8Array;
  /** Hash of entry n at n, as far as they were read; of vault.json at 0. */
  hashes: Map<number, Uint8Array>;
  /** Of the newest entry whose clock is not doubted; ages are differences of log times (L7). */
  time: number;
  jobs: Map<string, 'open' | 'closed'>;
  /** When those that are open were opened, and for what. */
  opened: Map<string, Since & { verb: number }>;
  /** All that can be had: also those that are forgotten and not given up yet. */
  points: Map<string, LoggedPoint>;
  /** The index: what live entries add, in order. */
  segments: AddedSegment[];
  /** Packs that no look-up may use any more (J3), until they are swept. */
  condemned: Map<string, Since>;
  /** Segments that were merged into others, until they are swept. */
  dropped: Map<string, Since>;
  /** Packs that serve reads only, but for these frames. */
  quarantined: Map<string, { sequence: number; frames: BadFrames }>;
  /** Unauthentic last entries that were moved away (L6). */
  setAside: { sequence: number; hash: string }[];
  /** Least ages for forgetting, in milliseconds, the newest last. */
  protects: (Since & { retention: number })[];
  slots: Slot[];
  settings: Map<string, Uint8Array>;
  /** What whoever works with the vault must know of. */
  features: string[];
  /** What has the time of an entry whose clock is doubted and ahead of `time`: it becomes that of the next one that is not. */
  ahead: Set<{ time: number }>;
  /** Points that were forgotten by entries whose clocks are doubted, and by none since. */
  doubted: Set<string>;
  /** A cache of an older state than this does not know which of its rows are gone. */
  floor: number;
  /** Newest entries that took usable packs away. */
  lastCondemn: number;
  lastQuarantine: number;
}

export function emptyState(head: Uint8Array): VaultState {
  return {
    ...{ sequence: 0, head, hashes: new Map([[0, head]]), time: 0 },
    ...{ jobs: new Map(), opened: new Map(), points: new Map(), segments: [] },
    ...{ condemned: new Map(), dropped: new Map(), quarantined: new Map(), setAside: [] },
    ...{
      protects: [],
      slots: [],
      settings: new Map(),
      features: [],
      ahead: new Set(),
      doubted: new Set(),
      floor: 0,
      lastCondemn: 0,
      lastQuarantine: 0,
    },
  };
}

/** This version knows of none. */
const KNOWN_FEATURES: readonly string[] = [];

/** Whoever does not know all of a vault's features must stop (L2). @throws VAULT_NEWER */
export function checkFeature(name: string, path: string): void {
  if (!KNOWN_FEATURES.includes(name)) throw newer(`${path} asks for ${name}`, path);
}

/** Finds what has a time that is ahead: by it nothing would grow old for years. */
export function noteAhead({ time, points, opened, condemned, dropped, protects, ahead }: VaultState): void {
  for (const all of [points, opened, condemned, dropped])
    for (const one of all.values()) if (one.time > time) ahead.add(one);
  for (const one of protects) if (one.time > time) ahead.add(one);
}
