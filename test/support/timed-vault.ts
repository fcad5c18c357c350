import { toHex } from '../../src/base/hex.ts';
import { points } from '../../src/jobs/points.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import { encodeManifest, type Manifest } from '../../src/point/manifest.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { openBench, type VaultBench } from './vault-bench.ts';

export const HOUR = 3_600_000;
export const DAY: number = 24 * HOUR;
/** Noon, so that the days of most zones are those of UTC. */
export const START: number = Date.UTC(2026, 0, 1, 12);

/** A vault in memory, and a clock that stands where a test puts it. */
export interface TimedVault {
  bench: VaultBench;
  /** The clock of all sessions, in milliseconds since 1970 UTC. */
  time: number;
  /** As on a machine that has not seen the vault: no jump of its clock is noticed. */
  open(options?: SessionOptions): Promise<VaultSession>;
  /** Does something in a session. */
  within<T>(work: (session: VaultSession) => Promise<T>): Promise<T>;
  /** Makes points of no disks, one a day, the first at the start; gives their references. */
  dailyPoints(item: string, days: number): Promise<string[]>;
  /** Makes one a second later. */
  addPoint(item: string): Promise<string>;
  /** References of all points that are live, or forgotten. */
  names(forgotten?: boolean): Promise<string[]>;
}

let count = 0;

/** `folder` must not exist. */
export async function timedVault(folder: string): Promise<TimedVault> {
  const bench = await openBench(folder, { encrypted: false });
  const clock = { now: () => vault.time, monotonic: () => 0, sleep: async () => undefined };
  const vault: TimedVault = {
    ...{ bench, time: START },
    open: ({ parts, ...options } = {}) =>
      bench.open({ state: `${folder}/state-${count++}`, ...options, parts: { ...parts, clock } }),
    async within(work) {
      await using session = await vault.open();
      return await work(session);
    },
    async dailyPoints(item, days) {
      return await vault.within(async (session) => {
        const refs: string[] = [];
        for (let n = 0; n < days; n++) {
          vault.time = START + n * DAY;
          refs.push(await commitPoint(session, item));
        }
        return refs;
      });
    },
    async addPoint(item) {
      vault.time += 1000;
      return await vault.within((session) => commitPoint(session, item));
    },
    async names(forgotten = false) {
      const listed = await vault.within((session) => points(session, undefined, { forgotten }));
      return listed.points.map(({ item, point }) => `${item}@${point}`);
    },
  };
  return vault;
}

async function commitPoint(session: VaultSession, item: string): Promise<string> {
  const point = toHex(session.vault.random.bytes(8));
  const manifest = manifestOf(item);
  await session.vault.commit(() => ({ type: 'point', point, adds: [], manifest }));
  return `${item}@p${point}`;
}

/** Of a point of no disks. */
export function manifestOf(item: string): Uint8Array {
  const manifest: Manifest = {
    ...{ item, type: 'full', base: null, consistency: 'crash', started: START },
    ...{ hooks: { outcome: 'none', output: '' }, tags: [], note: '', bootDisk: '', reason: '', disks: [] },
  };
  return encodeManifest(manifest);
}

/** The id of a reference, as entries have it. */
export function idOf(ref: string): string {
  return ref.replace(/.*@p/, '');
}

/** Does something once, when whoever opens the vault next has decided on an entry and is about to write it. */
export function beforeEntry({ bench }: TimedVault, action: () => Promise<unknown>): { done: boolean } {
  const told = { done: false };
  const { name } = bench.storeAddress as { name: string };
  const wrap = (store: Store): Store => ({
    ...store,
    async create(path) {
      if (!told.done && path.startsWith('staging/entry-')) {
        told.done = true;
        wrapMemoryStore(name, (plain) => plain);
        await action();
      }
      return await store.create(path);
    },
  });
  wrapMemoryStore(name, wrap);
  return told;
}
