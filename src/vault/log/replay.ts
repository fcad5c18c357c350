import { inEither } from './bad-frames.ts';
import type { LogEntry } from './entry.ts';
import type { Adds, EntryBody } from './entry-body.ts';
import { isPinned, leastAge } from './liveness.ts';
import { noteAhead, type VaultState } from './state.ts';

/** An entry whose time is by the log's clock, but where it is doubted. */
type Facts = Omit<LogEntry, 'body'>;
type BodyOf<Type extends EntryBody['type']> = Extract<EntryBody, { type: Type }>;
type Replay<Type extends EntryBody['type']> = (state: VaultState, body: BodyOf<Type>, entry: Facts) => void;

/** Replays one entry. What is void changes nothing but number and clock: all who replay must come to the same. */
export function applyEntry(state: VaultState, entry: LogEntry, head: Uint8Array): void {
  const time = Math.max(state.time, entry.time);
  state.sequence = entry.sequence;
  state.head = head;
  state.hashes.set(entry.sequence, head);
  if (!entry.clockDoubted) {
    state.time = time;
    settleDoubts(state, time);
  }
  (REPLAY[entry.body.type] as Replay<EntryBody['type']>)(state, entry.body, { ...entry, time });
  if (time > state.time) noteAhead(state);
}

/** Nobody knows when these were forgotten, and when those were made; it was not after now. */
function settleDoubts({ points, doubted, ahead }: VaultState, time: number): void {
  for (const one of ahead) one.time = Math.min(one.time, time);
  ahead.clear();
  for (const id of doubted) {
    const point = points.get(id);
    if (point?.forgotten?.time === null) point.forgotten = { ...point.forgotten, time };
  }
  doubted.clear();
}

/** What a job is opened for. */
export type Verb = 'backup' | 'repack' | 'index-merge' | 'rebuild';
export const VERBS: Readonly<Record<Verb, number>> = { backup: 1, repack: 2, 'index-merge': 3, rebuild: 4 };

const nothing = (): void => undefined;

const REPLAY: { [Type in EntryBody['type']]: Replay<Type> } = {
  init(state, { slots }, { time }) {
    state.slots = slots.map((slot) => ({ ...slot, kdf: 0, added: time, label: '' }));
  },
  open({ jobs, opened }, { verb }, { job, sequence, time }) {
    if (jobs.has(job)) return;
    jobs.set(job, 'open');
    opened.set(job, { sequence, time, verb });
  },
  abandon(state, { job }) {
    close(state, job);
  },
  point(state, { point, adds, manifest }, { job, sequence, time, tool }) {
    if (!finish(state, job, adds)) return;
    drop(state, state.points, point);
    state.points.set(point, { ...{ point, sequence, time, tool, job, adds, manifest } });
    add(state, adds, { job, sequence });
  },
  label({ points }, { point: id, label }) {
    const point = points.get(id);
    if (point) point.label = label;
  },
  forget(state, { points }, { sequence, time, clockDoubted }) {
    // A doubted clock may be years ahead: by it every point would be old enough.
    const now = clockDoubted ? state.time : time;
    for (const id of points) {
      const point = state.points.get(id);
      if (!point || point.forgotten || isPinned(point, now) || Math.max(0, now - point.time) < leastAge(state, point))
        continue;
      point.forgotten = { sequence, time: clockDoubted ? null : time };
      if (clockDoubted) state.doubted.add(id);
    }
  },
  unforget(state, { points }) {
    for (const id of points) delete state.points.get(id)?.forgotten;
  },
  pin({ points }, { point: id, until }) {
    const point = points.get(id);
    if (!point) return;
    if (until > 0) point.pinned = until;
    else delete point.pinned;
  },
  protect({ protects, time: now }, { retention }, { sequence }) {
    const inForce = protects.at(-1);
    const hasRunOut = inForce === undefined || now - inForce.time >= inForce.retention;
    if (hasRunOut || retention >= inForce.retention) protects.push({ sequence, time: now, retention });
  },
  condemn(state, { points, packs }, { sequence, time }) {
    for (const id of points) {
      if (!state.points.get(id)?.forgotten) continue;
      drop(state, state.points, id);
      state.doubted.delete(id);
    }
    condemn(state, packs, { sequence, time });
  },
  swept(state, { packs, segments }) {
    for (const pack of packs) {
      state.floor = Math.max(state.floor, state.condemned.get(pack)?.sequence ?? 0);
      drop(state, state.condemned, pack);
      state.quarantined.delete(pack);
    }
    for (const segment of segments) drop(state, state.dropped, segment);
  },
  repack(state, { adds, packs }, { job, sequence, time }) {
    if (!finish(state, job, adds)) return;
    add(state, adds, { job, sequence });
    condemn(state, packs, { sequence, time });
  },
  'index-merge'(state, { adds, dropped }, { job, sequence, time }) {
    const live = new Set(state.segments.map(({ segment }) => segment));
    const isRebuilt = state.opened.get(job)?.verb === VERBS.rebuild;
    if (!finish(state, job, adds) || !dropped.every((segment) => live.has(segment))) return;
    const gone = new Set(dropped);
    state.segments = state.segments.filter(({ segment }) => !gone.has(segment));
    for (const segment of dropped) {
      drop(state, state.dropped, segment);
      state.dropped.set(segment, { sequence, time });
    }
    // Packs may be missing from it that nobody knows by name.
    if (isRebuilt) state.floor = state.lastQuarantine = sequence;
    add(state, adds, { job, sequence });
  },
  quarantine(state, { pack, frames }, { sequence }) {
    const before = state.quarantined.get(pack)?.frames ?? [];
    state.quarantined.set(pack, { sequence, frames: inEither(before, frames) });
    state.lastQuarantine = sequence;
  },
  recovered({ quarantined }, { pack, frames }) {
    const known = quarantined.get(pack);
    if (known) quarantined.set(pack, { ...known, frames });
  },
  'set-aside'(state, { sequence, hash }) {
    state.setAside.push({ sequence, hash });
  },
  key(state, { slots }) {
    state.slots = slots;
  },
  setting({ settings }, { key, value }) {
    settings.set(key, value);
  },
  feature({ features }, { name }) {
    if (!features.includes(name)) features.push(name);
  },
  advisory: nothing,
};

/** A job adds once, while it is open (J1); what adds nothing needs none that is open, only none that is closed. */
function finish(state: VaultState, job: string, adds: readonly Adds[]): boolean {
  const status = state.jobs.get(job);
  if (adds.length > 0 ? status !== 'open' : status === 'closed') return false;
  close(state, job);
  return true;
}

function close(state: VaultState, job: string): void {
  state.jobs.set(job, 'closed');
  drop(state, state.opened, job);
}

/** Nothing stays ahead that is not there. */
function drop<One extends { time: number }>({ ahead }: VaultState, all: Map<string, One>, name: string): void {
  const one = all.get(name);
  if (one) ahead.delete(one);
  all.delete(name);
}

function add({ segments }: VaultState, adds: readonly Adds[], by: { job: string; sequence: number }): void {
  segments.push(...adds.map((added) => ({ ...added, ...by })));
}

function condemn(state: VaultState, packs: readonly string[], since: { sequence: number; time: number }): void {
  for (const pack of packs) if (!state.condemned.has(pack)) state.condemned.set(pack, { ...since });
  if (packs.length > 0) state.lastCondemn = since.sequence;
}
