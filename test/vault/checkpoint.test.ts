import { describe, expect, it } from 'vitest';
import { tellsTheSame } from '../../src/vault/check-checkpoint.ts';
import type { VaultKeys } from '../../src/vault/crypto/keys.ts';
import { checkpointPath } from '../../src/vault/log/checkpoint.ts';
import { type EntryBody, logPath } from '../../src/vault/log/entry.ts';
import { Log } from '../../src/vault/log/log.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { fixedClock, fixedRandom } from '../support/fixed-parts.ts';
import { storeFaults } from '../support/store-faults.ts';

const keys: VaultKeys = { family: new Uint8Array(16).fill(1), master: new Uint8Array(32).fill(2), encrypted: true };
const OPEN: EntryBody = { type: 'open', verb: 1 };
const job = (n: number): string => n.toString(16).padStart(32, '0');
let count = 0;

function openLog(store: Store): Log {
  const random = fixedRandom(`checkpoint ${count++}`);
  return new Log({ store, keys, random, clock: fixedClock(), tool: 'test', singleWriter: false }, new Uint8Array(32));
}

async function newLog(entries: number, store: Store = openMemoryStore(`checkpoint-${count++}`)): Promise<Store> {
  const log = openLog(store);
  await log.refresh();
  for (let n = 0; n < entries; n++) await log.commit(job(++count), 'staging', () => OPEN);
  return store;
}

async function put(store: Store, path: string, bytes: Uint8Array): Promise<void> {
  await store.remove(path);
  await using file = await store.create(path);
  await file.write([bytes]);
}

async function copyOf(store: Store): Promise<Store> {
  const copy = openMemoryStore(`checkpoint-${count++}`);
  for (const folder of ['log', 'ckpt'])
    for (const name of await store.list(folder))
      await put(copy, `${folder}/${name}`, await store.get(`${folder}/${name}`));
  return copy;
}

async function opened(store: Store): Promise<{ log: Log; reads: string[] }> {
  const counting = storeFaults(0, 'one');
  const log = openLog(counting.wrap(store));
  await log.refresh();
  return { log, reads: counting.log.filter((what) => what.startsWith('get ')) };
}

/** The state as the log alone tells it. */
async function told(store: Store): Promise<Log['state']> {
  const bare = await copyOf(store);
  for (const name of await bare.list('ckpt')) await bare.remove(`ckpt/${name}`);
  return (await opened(bare)).log.state;
}

describe('checkpoints', () => {
  it('let a log of any length be opened with a handful of reads, and come to the state of the log', async () => {
    for (const entries of [31, 32, 33, 150]) {
      const store = await newLog(entries);
      const { log, reads } = await opened(store);
      expect(log.state.sequence).toBe(entries);
      expect(reads.length).toBeLessThanOrEqual((entries % 32) + (entries < 32 ? 1 : 3));
      expect(tellsTheSame(log.state, await told(store))).toBe(true);
    }
  });

  it('are two at most, the newest, and leave no part behind', async () => {
    const store = await newLog(200);
    expect(await store.list('ckpt')).toEqual([160, 192].map((n) => checkpointPath(n).slice(5)));
    expect(await store.list('staging')).toEqual([]);
  });

  it('count for nothing where they are damaged, empty, of another number, or gone', async () => {
    const store = await newLog(100);
    const expected = await told(store);
    const newest = await store.get(checkpointPath(96));
    const flipped = (at: number): Uint8Array => newest.map((byte, n) => (n === at ? byte ^ 1 : byte));
    const older = await store.get(checkpointPath(64));
    const bad = [0, 60, 100, 110, 140, newest.length - 1].map(flipped);
    for (const bytes of [...bad, new Uint8Array(0), newest.subarray(0, 50), newest.subarray(0, -1), older]) {
      const copy = await copyOf(store);
      await put(copy, checkpointPath(96), bytes);
      const { log } = await opened(copy);
      expect(log.damage).toBeUndefined();
      expect(tellsTheSame(log.state, expected)).toBe(true);
      await log.commit(job(9999), 'staging', () => OPEN);
    }
    for (const name of ['ckpt/strange', 'ckpt/99999999999999999999']) {
      const copy = await copyOf(store);
      await put(copy, name, new Uint8Array(7));
      expect((await opened(copy)).log.state.sequence).toBe(100);
    }
  });

  it('are not written where they would be longer than what is read', async () => {
    const store = openMemoryStore(`checkpoint-${count++}`);
    const log = openLog(store);
    await log.refresh();
    const value = new Uint8Array(1_000_000);
    for (let n = 0; n < 160; n++) await log.commit(job(0), 'staging', () => ({ type: 'setting', key: `${n}`, value }));
    expect(await store.list('ckpt')).toEqual([96, 128].map((n) => checkpointPath(n).slice(5)));
    expect((await opened(store)).log.state.sequence).toBe(160);
  });

  it('that cannot be written stop nobody', async () => {
    const inner = openMemoryStore(`checkpoint-${count++}`);
    const store: Store = {
      ...inner,
      rename: async () => {
        throw new Error('no');
      },
    };
    await newLog(40, store);
    expect((await opened(inner)).log.state.sequence).toBe(40);
    expect(await inner.list('staging')).toEqual([]);
  });
});

describe('a log that was tampered with', () => {
  it('shows that it was cut, even to a machine that never saw it, where a checkpoint tells of more', async () => {
    const store = await newLog(70);
    for (let n = 60; n <= 70; n++) await store.remove(logPath(n));
    const { log } = await opened(store);
    expect(log.damage).toMatchObject({ code: 'VAULT_DAMAGED', details: { path: logPath(64) } });
    expect(log.state.sequence).toBe(59);
    await expect(log.commit(job(1), 'staging', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });

  it('shows that another history was put in its place', async () => {
    const one = await newLog(40);
    const other = await copyOf(one);
    await newLog(30, one);
    await newLog(30, other);
    // The checkpoints of one, the log of the other.
    for (const name of await one.list('ckpt')) await put(other, `ckpt/${name}`, await one.get(`ckpt/${name}`));
    const { log } = await opened(other);
    expect(log.damage?.message).toContain('is not the one that its checkpoint tells of');
    await expect(log.commit(job(1), 'staging', () => OPEN)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });

  it('tells hashes of entries before the checkpoint by going back along the chain, and believes no other', async () => {
    const store = await newLog(100);
    const { log } = await opened(store);
    const whole = (await opened(await copyOf(store))).log;
    const bare = await told(store);
    for (const n of [0, 1, 50, 95, 96, 100]) expect(await log.hashAt(n)).toEqual(bare.hashes.get(n));
    expect(await log.hashAt(101)).toBeUndefined();
    const bytes = await store.get(logPath(50));
    await put(
      store,
      logPath(50),
      bytes.map((byte, n) => (n === 100 ? byte ^ 1 : byte)),
    );
    const { log: again } = await opened(store);
    expect(await again.hashAt(50)).toEqual(await whole.hashAt(50));
    expect(await again.hashAt(49)).toBeUndefined();
  });

  it('tell of features, so that who does not know one stops, wherever it begins', async () => {
    const store = await newLog(3);
    const log = openLog(store);
    await log.refresh();
    await log.commit(job(++count), 'staging', () => ({ type: 'feature', name: 'of tomorrow' }));
    for (let n = 0; n < 70; n++) await log.commit(job(++count), 'staging', () => OPEN);
    expect(await store.list('ckpt')).toHaveLength(2);
    await expect(openLog(store).refresh()).rejects.toMatchObject({
      code: 'VAULT_NEWER',
      message: expect.stringContaining('of tomorrow'),
    });
  });

  it('tell the hash of each 32nd entry: whoever was away long compares by a few reads', async () => {
    const store = await newLog(400);
    const all = await told(store);
    for (const sequence of [1, 31, 32, 33, 200, 383, 384, 400]) {
      const counting = storeFaults(0, 'one');
      const log = openLog(counting.wrap(store));
      await log.refresh();
      const before = counting.log.length;
      expect(await log.hashAt(sequence)).toEqual(all.hashes.get(sequence));
      expect(counting.log.length - before).toBeLessThanOrEqual(32);
    }
    // A checkpoint that was begun with another one tells all of them.
    const log = openLog(store);
    await log.refresh();
    for (let n = 0; n < 40; n++) await log.commit(job(++count), 'staging', () => OPEN);
    const { log: later } = await opened(store);
    expect([...later.state.hashes.keys()].filter((n) => n % 32 === 0).sort((a, b) => a - b)).toEqual(
      [...Array(14).keys()].slice(1).map((n) => n * 32),
    );
  });
});
