import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EntryBody } from '../../src/vault/log/entry-body.ts';
import { FOR_EVER, isLive, isPinned, isSpared, leastAge } from '../../src/vault/log/liveness.ts';
import { applyEntry } from '../../src/vault/log/replay.ts';
import { emptyState, type LoggedPoint, type VaultState } from '../../src/vault/log/state.ts';

const DAY = 24 * 3600 * 1000;
const hex = (n: number, bytes: number): string => n.toString(16).padStart(2 * bytes, '0');
const job = (n: number): string => hex(n, 16);
const id = (n: number): string => hex(n, 8);
const pack = (n: number): string => hex(n, 32);
const adds = (n: number) => [{ segment: hex(n, 32), size: 100, packs: 1, bytes: 10 }];
const MANIFEST = new Uint8Array(1);

interface Told {
  body: EntryBody;
  job?: string;
  time?: number;
  doubted?: boolean;
}

/** Replays entries, one a millisecond unless told otherwise. */
function replay(entries: readonly Told[], state: VaultState = emptyState(new Uint8Array(32))): VaultState {
  for (const { body, job: by = job(999), time = state.time + 1, doubted = false } of entries) {
    const entry = { sequence: state.sequence + 1, job: by, time, tool: 'test', clockDoubted: doubted, body };
    applyEntry(state, entry, new Uint8Array(32).fill(entry.sequence));
  }
  return state;
}

const open = (n: number): Told => ({ body: { type: 'open', verb: 1 }, job: job(n) });
const point = (n: number, more: Partial<Told> = {}): Told => ({
  body: { type: 'point', point: id(n), adds: adds(n), manifest: MANIFEST },
  job: job(n),
  ...more,
});
const forget = (n: number, more: Partial<Told> = {}): Told => ({ body: { type: 'forget', points: [id(n)] }, ...more });
const unforget = (n: number): Told => ({ body: { type: 'unforget', points: [id(n)] } });
const pin = (n: number, until: number): Told => ({ body: { type: 'pin', point: id(n), until } });
const protect = (retention: number, more: Partial<Told> = {}): Told => ({
  body: { type: 'protect', retention },
  ...more,
});
const condemn = (points: number[], packs: number[]): Told => ({
  body: { type: 'condemn', points: points.map(id), packs: packs.map(pack) },
});
const made = (n: number, more: Partial<Told> = {}): Told[] => [open(n), point(n, more)];
const found = (state: VaultState, n: number): LoggedPoint => state.points.get(id(n)) as LoggedPoint;

describe('a job', () => {
  it('adds once, while it is open, and what it adds afterwards is void, its condemns too', () => {
    const repack: EntryBody = { type: 'repack', adds: adds(7), packs: [pack(1)] };
    const state = replay([...made(1), point(1), { body: repack, job: job(1) }, { body: repack, job: job(5) }]);
    expect(state.segments).toHaveLength(1);
    expect(state.condemned.size).toBe(0);
    replay([open(5), { body: { type: 'abandon', job: job(5) } }, open(5), { body: repack, job: job(5) }], state);
    expect(state.segments).toHaveLength(1);
    expect(state.jobs.get(job(5))).toBe('closed');
    expect(state.opened.size).toBe(0);
  });

  it('that adds nothing needs no open', () => {
    const body: EntryBody = { type: 'point', point: id(1), adds: [], manifest: MANIFEST };
    expect(isLive(replay([{ body, job: job(1) }]), id(1))).toBe(true);
  });

  it('merges segments only if all of them are live', () => {
    const merge = (n: number, dropped: number[]): Told => ({
      body: { type: 'index-merge', adds: adds(n), dropped: dropped.map((one) => hex(one, 32)) },
      job: job(n),
    });
    const state = replay([...made(1), ...made(2), open(11), merge(11, [1, 2]), open(12), merge(12, [2])]);
    expect(state.segments.map(({ segment }) => segment)).toEqual([hex(11, 32)]);
    expect([...state.dropped.keys()]).toEqual([hex(1, 32), hex(2, 32)]);
    expect(state.jobs.get(job(12))).toBe('closed');
    replay([...made(3), open(13), merge(13, [2, 3])], state);
    expect(state.segments.map(({ segment }) => segment)).toEqual([hex(11, 32), hex(3, 32)]);
  });
});

describe('what was made by a clock that is doubted and ahead', () => {
  it('has the time of the next entry whose clock is not, so that it grows old', () => {
    const ahead = { time: 1000 * DAY, doubted: true };
    const state = replay([
      ...made(1, { time: DAY }),
      { ...open(2), ...ahead },
      point(2, ahead),
      { ...open(3), ...ahead },
    ]);
    expect(found(state, 2).time).toBe(1000 * DAY);
    replay([{ ...open(4), time: 2 * DAY }], state);
    expect([found(state, 2).time, state.opened.get(job(3))?.time]).toEqual([2 * DAY, 2 * DAY]);
    replay([forget(2, { time: 2 * DAY })], state);
    expect(isLive(state, id(2))).toBe(false);
  });

  it('can be forgotten at once where nothing protects it', () => {
    const state = replay([...made(1, { time: DAY }), ...made(2, { time: 1000 * DAY, doubted: true })]);
    replay([forget(2, { time: 1000 * DAY, doubted: true })], state);
    expect(isLive(state, id(2))).toBe(false);
  });
});

describe('a point', () => {
  it('that is forgotten is not live, comes back whole, and after it was given up never', () => {
    const state = replay([...made(1), forget(1)]);
    expect(isLive(state, id(1))).toBe(false);
    replay([unforget(1)], state);
    expect(isLive(state, id(1))).toBe(true);
    replay([forget(1), condemn([1], [1]), unforget(1), pin(1, FOR_EVER)], state);
    expect(state.points.size).toBe(0);
    expect([...state.condemned.keys()]).toEqual([pack(1)]);
  });

  it('that is live is not given up by whatever condemns', () => {
    expect(isLive(replay([...made(1), condemn([1], [])]), id(1))).toBe(true);
  });

  it('that is pinned is not forgotten before its time, and is spared though it was', () => {
    const state = replay([...made(1, { time: DAY }), pin(1, 3 * DAY), forget(1, { time: 2 * DAY })]);
    expect(isLive(state, id(1))).toBe(true);
    replay([forget(1, { time: 3 * DAY })], state);
    expect(isLive(state, id(1))).toBe(false);
    replay([pin(1, FOR_EVER)], state);
    expect(isPinned(found(state, 1), 9e15)).toBe(true);
    expect(isSpared(found(state, 1), 100 * DAY, 0)).toBe(true);
    replay([pin(1, 0)], state);
    expect(isSpared(found(state, 1), 100 * DAY, 0)).toBe(false);
  });

  it('is spared as long as the soft delete lasts, from the moment that it was forgotten', () => {
    const state = replay([...made(1, { time: DAY }), forget(1, { time: 10 * DAY })]);
    expect(isSpared(found(state, 1), 10 * DAY + 14 * DAY - 1, 14 * DAY)).toBe(true);
    expect(isSpared(found(state, 1), 10 * DAY + 14 * DAY, 14 * DAY)).toBe(false);
    expect(isSpared(found(state, 1), 10 * DAY, 0)).toBe(false);
  });
});

describe('the minimum retention', () => {
  it('holds for points that were there before it and for those after it', () => {
    const state = replay([...made(1, { time: DAY }), protect(30 * DAY), ...made(2, { time: 10 * DAY })]);
    replay([forget(1, { time: 20 * DAY }), forget(2, { time: 35 * DAY })], state);
    expect([isLive(state, id(1)), isLive(state, id(2))]).toEqual([true, true]);
    replay([forget(1), forget(2, { time: 40 * DAY })], state);
    expect([isLive(state, id(1)), isLive(state, id(2))]).toEqual([false, false]);
  });

  it('is raised at once, and lowered only when it has run out, and not for points that it was promised to', () => {
    const state = replay([...made(1, { time: DAY }), protect(30 * DAY), protect(DAY, { time: 20 * DAY })]);
    expect(state.protects.map(({ retention }) => retention)).toEqual([30 * DAY]);
    replay([...made(2, { time: 30 * DAY }), protect(DAY, { time: 32 * DAY }), ...made(3)], state);
    expect(state.protects.map(({ retention }) => retention)).toEqual([30 * DAY, DAY]);
    expect([1, 2, 3].map((n) => leastAge(state, found(state, n)) / DAY)).toEqual([30, 30, 1]);
    replay([protect(60 * DAY, { time: 33 * DAY })], state);
    expect([1, 2, 3].map((n) => leastAge(state, found(state, n)) / DAY)).toEqual([60, 60, 60]);
  });
});

describe('a doubted clock', () => {
  it('moves neither the time of the log nor the age of a point, however far ahead it is', () => {
    const state = replay([...made(1, { time: DAY }), protect(30 * DAY), forget(1, { time: 900 * DAY, doubted: true })]);
    expect(state.time).toBeLessThan(2 * DAY);
    expect(isLive(state, id(1))).toBe(true);
  });

  it('makes a point forgotten at the time of the next entry whose clock is not doubted', () => {
    const state = replay([...made(1, { time: DAY }), forget(1, { time: 900 * DAY, doubted: true })]);
    expect(found(state, 1).forgotten?.time).toBeNull();
    expect(isSpared(found(state, 1), 2000 * DAY, 14 * DAY)).toBe(true);
    replay([{ ...protect(0, { time: 3 * DAY }) }], state);
    expect(found(state, 1).forgotten).toEqual({ sequence: 3, time: 3 * DAY });
    expect(state.doubted.size).toBe(0);
  });
});

describe('what is gone', () => {
  it('is forgotten after a sweep, and a cache of before it is told so by the floor', () => {
    const state = replay([...made(1), condemn([], [1, 2])]);
    const { sequence } = state;
    replay([{ body: { type: 'quarantine', pack: pack(3), frames: [2, 1] } }], state);
    replay([{ body: { type: 'quarantine', pack: pack(3), frames: [2, 5] } }], state);
    expect(state.quarantined.get(pack(3))?.frames).toEqual([1, 2, 5]);
    const { sequence: since } = state.quarantined.get(pack(3))!;
    replay([{ body: { type: 'recovered', pack: pack(3), frames: [5] } }], state);
    expect(state.quarantined.get(pack(3))).toEqual({ sequence: since, frames: [5] });
    replay([{ body: { type: 'recovered', pack: pack(9), frames: [] } }], state);
    expect(state.quarantined.has(pack(9))).toBe(false);
    replay([{ body: { type: 'swept', packs: [pack(1), pack(3)], segments: [] } }], state);
    expect([...state.condemned.keys()]).toEqual([pack(2)]);
    expect([state.quarantined.size, state.floor, state.lastCondemn]).toEqual([0, sequence, sequence]);
  });
});

/** Any entries, most of them about the same few points, jobs and packs. */
function someEntries(): fc.Arbitrary<Told[]> {
  const few = fc.integer({ min: 1, max: 4 });
  const body: fc.Arbitrary<EntryBody> = fc.oneof(
    fc.constant<EntryBody>({ type: 'open', verb: 1 }),
    few.map<EntryBody>((n) => ({ type: 'point', point: id(n), adds: adds(n), manifest: MANIFEST })),
    few.map<EntryBody>((n) => ({ type: 'label', point: id(n), label: new Uint8Array(2) })),
    few.map<EntryBody>((n) => ({ type: 'abandon', job: job(n) })),
    few.map<EntryBody>((n) => ({ type: 'forget', points: [id(n)] })),
    few.map<EntryBody>((n) => ({ type: 'unforget', points: [id(n)] })),
    fc
      .tuple(few, fc.constantFrom(0, 5, FOR_EVER))
      .map<EntryBody>(([n, until]) => ({ type: 'pin', point: id(n), until })),
    few.map<EntryBody>((retention) => ({ type: 'protect', retention })),
    few.map<EntryBody>((n) => ({ type: 'condemn', points: [id(n)], packs: [pack(n)] })),
    few.map<EntryBody>((n) => ({ type: 'swept', packs: [pack(n)], segments: [hex(n, 32)] })),
    few.map<EntryBody>((n) => ({ type: 'repack', adds: adds(n + 10), packs: [pack(n)] })),
    few.map<EntryBody>((n) => ({ type: 'index-merge', adds: adds(n + 20), dropped: [hex(n, 32)] })),
    few.map<EntryBody>((n) => ({ type: 'quarantine', pack: pack(n), frames: n === 1 ? 'all' : [n] })),
    few.map<EntryBody>((n) => ({ type: 'set-aside', sequence: n, hash: hex(n, 32) })),
    few.map<EntryBody>((n) => ({
      type: 'key',
      slots: [{ name: id(n), hash: hex(n, 32), kdf: 1, added: n, label: 'mine' }],
    })),
    fc.constant<EntryBody>({ type: 'setting', key: 'x', value: new Uint8Array(3) }),
    fc.constant<EntryBody>({ type: 'advisory' }),
  );
  const entry = fc.record({
    body,
    job: few.map(job),
    time: fc.integer({ min: 0, max: 20 }),
    doubted: fc.boolean(),
  });
  return fc.array(entry, { maxLength: 30 });
}

describe('any history', () => {
  it('comes to the same through a checkpoint at any entry', async () => {
    const { decodeCheckpoint, encodeCheckpoint } = await import('../../src/vault/log/checkpoint.ts');
    const { tellsTheSame } = await import('../../src/vault/check-checkpoint.ts');
    const { fixedRandom } = await import('../support/fixed-parts.ts');
    const keys = { family: new Uint8Array(16), master: new Uint8Array(32).fill(1), encrypted: true };
    fc.assert(
      fc.property(someEntries(), fc.nat(30), (entries, at) => {
        const whole = replay(entries);
        const half = replay(entries.slice(0, at));
        const stored = encodeCheckpoint(keys, fixedRandom(), half);
        const through = replay(entries.slice(at), decodeCheckpoint(keys, stored, half.sequence));
        expect(tellsTheSame(through, whole)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps its sets in step: open jobs, doubted forgets, and none live of what it gave up', () => {
    fc.assert(
      fc.property(someEntries(), (entries) => {
        const state = replay(entries);
        const doubted = [...state.points.values()].filter(({ forgotten }) => forgotten?.time === null);
        for (const { point: name } of doubted) expect(state.doubted.has(name)).toBe(true);
        const open = [...state.jobs].flatMap(([name, status]) => (status === 'open' ? [name] : []));
        expect(open.sort()).toEqual([...state.opened.keys()].sort());
        expect(state.time).toBeGreaterThanOrEqual(
          Math.max(0, ...entries.map((told) => (told.doubted ? 0 : (told.time ?? 0)))),
        );
      }),
      { numRuns: 100 },
    );
  });
});
