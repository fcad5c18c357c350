import type { Adds, LogEntry } from './entry.ts';

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
}

/** The state of a vault: the replay of its log and of nothing else (L1). */
export interface VaultState {
  /** Number and hash of the newest entry. */
  sequence: number;
  head: Uint8Array;
  /** Hash of entry n at n; of vault.json at 0. */
  hashes: Uint8Array[];
  /** Of the newest entry; ages are differences of log times (L7). */
  time: number;
  jobs: Map<string, 'open' | 'closed'>;
  points: Map<string, LoggedPoint>;
  /** The index: what live entries add, in order. */
  segments: (Adds & { sequence: number; job: string })[];
}

export function emptyState(head: Uint8Array): VaultState {
  return { sequence: 0, head, hashes: [head], time: 0, jobs: new Map(), points: new Map(), segments: [] };
}

/** Replays one entry. What a closed or never opened job adds is void (J1). */
export function applyEntry(state: VaultState, entry: LogEntry, head: Uint8Array): void {
  state.sequence = entry.sequence;
  state.head = head;
  state.hashes[entry.sequence] = head;
  state.time = Math.max(state.time, entry.time);
  const { body, job, sequence } = entry;
  switch (body.type) {
    case 'init':
    case 'advisory':
      return;
    case 'open':
      if (!state.jobs.has(job)) state.jobs.set(job, 'open');
      return;
    case 'abandon':
      state.jobs.set(body.job, 'closed');
      return;
    case 'point': {
      if (body.adds.length > 0 ? state.jobs.get(job) !== 'open' : state.jobs.get(job) === 'closed') return;
      state.jobs.set(job, 'closed');
      const { point, adds, manifest } = body;
      state.points.set(point, { point, sequence, time: state.time, tool: entry.tool, job, adds, manifest });
      state.segments.push(...adds.map((add) => ({ ...add, sequence, job })));
      return;
    }
    case 'label': {
      const point = state.points.get(body.point);
      if (point) point.label = body.label;
      return;
    }
    default:
      body satisfies never;
  }
}
