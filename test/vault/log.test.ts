import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { BinaryWriter } from '../../src/vault/binary.ts';
import { newObject, type VaultKeys } from '../../src/vault/crypto/keys.ts';
import { DOMAIN_BODY } from '../../src/vault/crypto/sealer.ts';
import { type EntryBody, encodeEntry, isAuthentic, logPath } from '../../src/vault/log/entry.ts';
import { Log } from '../../src/vault/log/log.ts';
import { writingPath } from '../../src/vault/log/without-links.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { fixedClock, fixedRandom } from '../support/fixed-parts.ts';
import { storeFaults } from '../support/store-faults.ts';

const keys: VaultKeys = { family: new Uint8Array(16).fill(1), master: new Uint8Array(32).fill(2), encrypted: true };
const vaultHash = new Uint8Array(32).fill(3);
const OPEN: EntryBody = { type: 'open', verb: 1 };
const job = (n: number): string => n.toString(16).padStart(32, '0');
let count = 0;

function newStore(): Store {
  return openMemoryStore(`log-${count++}`);
}
function openLog(store: Store, singleWriter = false): Log {
  const random = fixedRandom(`log ${count++}`);
  return new Log({ store, keys, random, clock: fixedClock(), tool: 'test', singleWriter }, vaultHash);
}
async function put(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  await store.remove(path);
  await using file = await store.create(path);
  await file.write([bytes]);
}
async function write(store: Store, entries: number): Promise<void> {
  const log = openLog(store);
  for (let n = 1; n <= entries; n++) await log.commit(job(n), 'staging/x', () => OPEN);
}
async function flip(store: Store, path: string, at: number): Promise<void> {
  const bytes = await store.get(path);
  bytes[at < 0 ? bytes.byteLength + at : at]! ^= 1;
  await put(store, path, bytes);
}

/** An entry of a type that this version does not know, chained to `previous`. */
function strange(sequence: number, previous: Uint8Array, type: number, critical: boolean): Uint8Array {
  const { header, sealer } = newObject(keys, fixedRandom(), 'entry', new Uint8Array(16));
  if (!critical) header[11]! &= ~2;
  const clear = new BinaryWriter().bytes(header).u64(sequence).bytes(previous).bytes(new Uint8Array(16)).finish();
  const body = new BinaryWriter().u8(type).u8(0).u64(5).text('a later version').u64(42).finish();
  return Buffer.concat([clear, ...sealer.seal(DOMAIN_BODY, 0, clear, body)]);
}

describe.each([false, true])('the log (single writer: %s)', (singleWriter) => {
  it('replays what was committed, in order, whoever committed it', async () => {
    const store = newStore();
    const [one, other] = [openLog(store, singleWriter), openLog(store, singleWriter)];
    for (let n = 1; n <= 6; n++) await (n % 2 ? one : other).commit(job(n), 'staging/x', () => OPEN);
    const reader = openLog(store);
    expect(await reader.refresh()).toBe(6);
    expect([...reader.state.jobs.keys()]).toEqual([1, 2, 3, 4, 5, 6].map(job));
    expect([...reader.state.hashes.keys()]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('lets one of two racing writers win a number, and the other decides again on the new state', async () => {
    const store = newStore();
    const [one, other] = [openLog(store, singleWriter), openLog(store, singleWriter)];
    const seen: number[] = [];
    const entry = await one.commit(job(1), 'staging/x', async (state) => {
      seen.push(state.sequence);
      if (seen.length === 1) await other.commit(job(2), 'staging/y', () => OPEN);
      return OPEN;
    });
    expect(seen).toEqual([0, 1]);
    expect(entry.sequence).toBe(2);
    expect([...one.state.jobs.keys()]).toEqual([job(2), job(1)]);
  });

  it('numbers the entries of many racing writers without a gap or a loss', async () => {
    const store = newStore();
    const logs = Array.from({ length: 8 }, () => openLog(store, singleWriter));
    const entries = await Promise.all(logs.map((log, n) => log.commit(job(n), `staging/${n}`, () => OPEN)));
    expect(entries.map(({ sequence }) => sequence).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const reader = openLog(store);
    await reader.refresh();
    expect(reader.state.jobs.size).toBe(8);
  });
});

describe('the log', () => {
  it('knows its own entry by the nonce when the answer to link was lost', async () => {
    const store = newStore();
    const told: string[] = [];
    const forgetful: Store = {
      ...store,
      async link(from, to) {
        told.push(await store.link(from, to));
        return 'exists';
      },
    };
    const entry = await openLog(forgetful).commit(job(1), 'staging/x', () => OPEN);
    expect(entry.sequence).toBe(1);
    expect(told).toEqual(['linked']);
  });

  it('has an entry once or not at all, whichever operation of a commit fails, and goes on', async () => {
    for (const mode of ['one', 'late', 'dead'] as const) {
      let hits = 0;
      for (let k = 1; ; k++) {
        const store = newStore();
        await write(store, 2);
        const faults = storeFaults(k, mode);
        const log = openLog(faults.wrap(store));
        const outcome = await log
          .commit(job(9), 'staging/x', () => OPEN)
          .catch((error: unknown) => error as { code: string });
        const reader = openLog(store);
        await reader.refresh();
        const there = reader.state.jobs.has(job(9));
        if ('sequence' in outcome) expect(there).toBe(true);
        else expect(outcome.code).toMatch(/^(IO|OUTCOME_UNKNOWN)$/);
        expect(reader.state.sequence).toBe(there ? 3 : 2);
        await openLog(store).commit(job(10), 'staging/x', () => OPEN);
        if (!faults.hit) break;
        hits++;
      }
      expect(hits).toBeGreaterThan(8);
    }
  });

  it('without link(2) keeps no torn entry when one operation of a commit fails', async () => {
    let k = 1;
    for (; ; k++) {
      const store = newStore();
      await write(store, 2);
      const faults = storeFaults(k, 'one');
      let seen: Uint8Array | undefined;
      const watched: Store = {
        ...store,
        async remove(path) {
          if (path === logPath(3)) seen = await store.get(path);
          await store.remove(path);
        },
      };
      const failing = openLog(faults.wrap(watched), true);
      const told = await failing.commit(job(9), 'staging/x', () => OPEN).catch((error: VhdvaultError) => error.code);
      // A reader may have seen it, and another one built on it.
      if (seen) expect(isAuthentic(keys, seen, 3), faults.what).toBe(false);
      const next = openLog(store, true);
      await next.refresh();
      if (next.state.jobs.has(job(9))) expect(told, faults.what).not.toBe('IO');
      const there = await store.get(logPath(3)).catch(() => undefined);
      if (there && next.state.sequence === 2) {
        // It counts not yet; whoever has the lock settles it first.
        expect([told, isAuthentic(keys, there, 3)], faults.what).toEqual(['OUTCOME_UNKNOWN', true]);
        continue;
      }
      await next.commit(job(10), 'staging/x', () => OPEN);
      expect(next.state.sequence, faults.what).toBe(next.state.jobs.has(job(9)) ? 4 : 3);
      if (!faults.hit) break;
    }
    expect(k).toBeGreaterThan(8);
  });

  it.each(['late', 'dead'] as const)(
    'without link(2) has an entry once or not at all, or beside the sign that it is being written, and counts it not (%s)',
    async (mode) => {
      let torn = 0;
      for (let k = 1; ; k++) {
        const store = newStore();
        await write(store, 2);
        const faults = storeFaults(k, mode);
        const commit = openLog(faults.wrap(store), true).commit(job(9), 'staging/x', () => OPEN);
        const wasTold = await commit.then(
          () => true,
          () => false,
        );
        const next = openLog(store, true);
        await next.refresh();
        expect(next.damage, faults.what).toBeUndefined();
        const isUnfinished = (await store.size(logPath(3))) !== undefined && next.state.sequence === 2;
        if (isUnfinished) {
          torn++;
          expect([wasTold, await store.size(writingPath(logPath(3)))], faults.what).toEqual([false, 32]);
          // Whoever has the lock settles it first.
          const commit = next.commit(job(10), 'staging/x', () => OPEN);
          await expect(commit, faults.what).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
        } else {
          const isThere = next.state.jobs.has(job(9));
          expect(isThere || !wasTold, faults.what).toBe(true);
          const { sequence } = await next.commit(job(10), 'staging/x', () => OPEN);
          expect(sequence, faults.what).toBe(isThere ? 4 : 3);
        }
        if (!faults.hit) break;
      }
      expect(torn).toBeGreaterThan(0);
    },
  );

  it('times never go back, whatever the clock does', async () => {
    const store = newStore();
    await write(store, 2);
    const before = openLog(store);
    await before.refresh();
    const clock = { ...fixedClock(), now: () => 5 };
    const log = new Log({ store, keys, random: fixedRandom(), clock, tool: 'test', singleWriter: false }, vaultHash);
    expect((await log.commit(job(3), 'staging/x', () => OPEN)).time).toBe(before.state.time);
  });

  it('refuses nothing to readers and everything to writers beside an unreadable entry', async () => {
    for (const damaged of [3, 2]) {
      for (const at of [0, 9, 11, 20, 40, 60, 85, 100, 110, 140, 160, -1]) {
        const store = newStore();
        await write(store, 3);
        await flip(store, logPath(damaged), at);
        const log = openLog(store);
        expect(await log.refresh()).toBe(damaged - 1);
        expect(log.damage).toMatchObject({ code: 'VAULT_DAMAGED', details: { path: logPath(damaged) } });
        await expect(log.commit(job(9), 'staging/x', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
        expect(await store.list('log')).toHaveLength(3);
      }
    }
  });

  it.each([0, 1, 95, 96, 151, 152, 170])(
    'calls a newest entry torn after %i bytes damage, not absence',
    async (length) => {
      const store = newStore();
      await write(store, 2);
      await put(store, logPath(2), (await store.get(logPath(2))).subarray(0, length));
      const log = openLog(store);
      expect(await log.refresh()).toBe(1);
      expect(log.damage?.code).toBe('VAULT_DAMAGED');
    },
  );

  it('calls a missing entry with another behind it a gap, and writes nothing', async () => {
    const store = newStore();
    await write(store, 4);
    await store.remove(logPath(3));
    const log = openLog(store);
    expect(await log.refresh()).toBe(2);
    expect(log.damage?.message).toContain('is missing while entry 4 is there');
    await expect(log.commit(job(9), 'staging/x', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    expect(await store.size(logPath(3))).toBeUndefined();
  });

  it.each([1, 2, 3, 30])('remembers a gap of %i entries, however often it looks', async (length) => {
    const store = newStore();
    await write(store, length + 4);
    for (let n = 4; n < 4 + length; n++) await store.remove(logPath(n));
    const log = openLog(store);
    for (let look = 0; look < 4; look++) {
      expect(await log.refresh()).toBe(look === 0 ? 3 : 0);
      expect(log.damage?.message).toContain(`is missing while entry ${length + 4} is there`);
    }
    await expect(log.commit(job(99), 'staging/x', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    expect(await store.size(logPath(4))).toBeUndefined();
  });

  it('goes on when a gap is filled', async () => {
    const store = newStore();
    await write(store, 6);
    const files = await Promise.all([4, 5].map((n) => store.get(logPath(n))));
    for (const n of [4, 5]) await store.remove(logPath(n));
    const log = openLog(store);
    await log.refresh();
    expect(log.damage).toBeDefined();
    for (const [n, bytes] of files.entries()) await put(store, logPath(4 + n), bytes);
    expect(await log.refresh()).toBe(3);
    expect(log.damage).toBeUndefined();
    expect((await log.commit(job(99), 'staging/x', () => OPEN)).sequence).toBe(7);
  });

  it('takes a name without a file, as of a link that leads nowhere, for damage and not for the end', async () => {
    const store = newStore();
    await write(store, 2);
    const list = async (folder: string): Promise<string[]> => [
      ...(await store.list(folder)),
      ...(folder === 'log' ? [logPath(3).slice('log/'.length)] : []),
    ];
    const log = openLog({ ...store, list });
    for (let look = 0; look < 3; look++) {
      await log.refresh();
      expect(log.damage?.message).toContain('is a link to a file that is not there');
    }
    await expect(log.commit(job(9), 'staging/x', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });

  it.each(['IO', 'NO_PERMISSION'] as const)(
    'stops at an entry that cannot be read for %s, and goes on when it can',
    async (code) => {
      const store = newStore();
      await write(store, 5);
      let isBroken = true;
      const get = async (path: string): Promise<Uint8Array> => {
        if (isBroken && path === logPath(3))
          throw new VhdvaultError(code, 'reading failed', { details: { path: '/x' } });
        return await store.get(path);
      };
      const log = openLog({ ...store, get });
      expect(await log.refresh()).toBe(2);
      expect(log.damage).toMatchObject({ code, details: { path: logPath(3) } });
      await expect(log.commit(job(9), 'staging/x', () => OPEN)).rejects.toMatchObject({ code });
      isBroken = false;
      expect(await log.refresh()).toBe(3);
      expect(log.damage).toBeUndefined();
    },
  );

  it('is not confused by strange names in its folder', async () => {
    const store = newStore();
    await write(store, 1);
    for (const name of ['README', '.00000000000000000009', '000000000000000000009', 'entry-1']) {
      await put(store, `log/${name}`, Uint8Array.of(1));
    }
    const log = openLog(store);
    expect(await log.refresh()).toBe(1);
    expect(log.damage).toBeUndefined();
  });

  it.each([17, 19, 200])(
    'stops at an unknown critical entry of type %i, and passes over one that is not critical',
    async (type) => {
      const store = newStore();
      await write(store, 1);
      const previous = sha256(await store.get(logPath(1)));
      await put(store, logPath(2), strange(2, previous, type, true));
      await expect(openLog(store).refresh()).rejects.toMatchObject({ code: 'VAULT_NEWER' });
      await put(store, logPath(2), strange(2, previous, type, false));
      const log = openLog(store);
      expect(await log.refresh()).toBe(2);
      expect((await log.commit(job(3), 'staging/x', () => OPEN)).sequence).toBe(3);
    },
  );

  it('does not take an entry of another place in the history, though it is authentic', async () => {
    const store = newStore();
    await write(store, 3);
    const [second, third] = [await store.get(logPath(2)), await store.get(logPath(3))];
    await put(store, logPath(2), third);
    await put(store, logPath(3), second);
    const log = openLog(store);
    expect(await log.refresh()).toBe(1);
    expect(log.damage?.code).toBe('VAULT_DAMAGED');
  });
});

describe('a job', () => {
  const point = (adds: boolean, id = '11'.repeat(8)): EntryBody => ({
    ...{ type: 'point', point: id, manifest: new Uint8Array(0) },
    adds: adds ? [{ segment: 'aa'.repeat(32), size: 1, packs: 1, bytes: 1 }] : [],
  });

  /** Writes entries as they come, past every check of the writer, and replays them. */
  async function replay(entries: [string, EntryBody][]): Promise<Log> {
    const store = newStore();
    let previous: Uint8Array = vaultHash;
    for (const [n, [of, body]] of entries.entries()) {
      const entry = { sequence: n + 1, job: of, time: n, tool: 'test', clockDoubted: false, body };
      const { bytes } = encodeEntry(keys, fixedRandom(`${n}`), previous, entry);
      await put(store, logPath(n + 1), bytes);
      previous = sha256(bytes);
    }
    const log = openLog(store);
    await log.refresh();
    return log;
  }

  it('that is open adds its point and its segments', async () => {
    const { state } = await replay([
      [job(1), OPEN],
      [job(1), point(true)],
    ]);
    expect([...state.points.keys()]).toEqual(['11'.repeat(8)]);
    expect(state.segments).toHaveLength(1);
  });

  it('that is closed, or was never opened, adds nothing', async () => {
    for (const entries of [
      [[job(1), point(true)]],
      [
        [job(1), OPEN],
        [job(2), { type: 'abandon', job: job(1) }],
        [job(1), point(true)],
      ],
      [
        [job(1), OPEN],
        [job(2), { type: 'abandon', job: job(1) }],
        [job(1), OPEN],
        [job(1), point(true)],
      ],
      [
        [job(2), { type: 'abandon', job: job(1) }],
        [job(1), OPEN],
        [job(1), point(true)],
      ],
      [
        [job(2), { type: 'abandon', job: job(1) }],
        [job(1), point(false)],
      ],
    ] as [string, EntryBody][][]) {
      const { state } = await replay(entries);
      expect(state.points.size).toBe(0);
      expect(state.segments).toEqual([]);
    }
  });

  it('makes one point: a second one is void', async () => {
    const second = point(true, '22'.repeat(8));
    const { state } = await replay([
      [job(1), OPEN],
      [job(1), point(true)],
      [job(1), second],
    ]);
    expect([...state.points.keys()]).toEqual(['11'.repeat(8)]);
    expect(state.segments).toHaveLength(1);
  });

  it('without anything to add needs no open', async () => {
    expect((await replay([[job(1), point(false)]])).state.points.size).toBe(1);
  });
});
