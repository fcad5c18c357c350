import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Clock } from '../../src/base/clock.ts';
import { VhdvaultError } from '../../src/base/errors.ts';
import { lockItem, removeDeadLocks } from '../../src/jobs/item-lock.ts';
import { type Owner, thisProcess } from '../../src/jobs/lock-owner.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openStore, type Store, writeObject } from '../../src/vault/open-store.ts';
import { sealLock, unsealLock } from '../../src/vault/sealed-file.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { openVault, type Vault } from '../../src/vault/vault.ts';
import { fixedClock } from '../support/fixed-parts.ts';

interface Setting {
  vault: Vault;
  path: string;
  /** Every wait for the heartbeats of another run; `asleep` is what happens meanwhile. */
  slept: number[];
  asleep: (work: () => Promise<unknown>) => void;
}

let count = 0;

/** `noLinks`: a file system without link(2), which takes one writer at a time. */
async function setting({ noLinks = false } = {}): Promise<Setting> {
  const name = `locks-${count++}`;
  if (noLinks)
    wrapMemoryStore(name, (store) => ({
      ...store,
      link: () => Promise.reject(new VhdvaultError('IO', 'no links', { details: { system: 'ENOTSUP' } })),
    }));
  const slept: number[] = [];
  let meanwhile: () => Promise<unknown> = async () => undefined;
  const clock: Clock = {
    ...fixedClock(),
    async sleep(milliseconds) {
      slept.push(milliseconds);
      await meanwhile();
    },
  };
  const store = openStore({ kind: 'memory', name });
  const config = await createVault(store, { reserve: 0, clock });
  expect(config.singleWriter).toBe(noLinks);
  const vault = await openVault(store, { clock });
  const path = noLinks ? 'locks/vault' : `locks/${vault.nameHash('item', 'web01')}`;
  return { vault, path, slept, asleep: (work) => (meanwhile = work) };
}

const locks = (store: Store): Promise<string[]> => store.list('locks');

async function ownerOf({ vault, path }: Setting): Promise<Owner> {
  return JSON.parse(new TextDecoder().decode(unsealLock(vault, await vault.store.get(path), path))) as Owner;
}

/** Puts a lock there as a run of another process would have. */
async function putLock({ vault, path }: Setting, change: Partial<Owner>): Promise<void> {
  const owner = { ...(await thisProcess()), since: 0, beat: 0, token: 'other', ...change };
  await vault.store.remove(path);
  await writeObject(vault.store, path, sealLock(vault, Buffer.from(JSON.stringify(owner))));
}

const NO_PROCESS = 2 ** 22 + 1;

describe('the lock of a process that is gone', () => {
  it('is taken over at once where its process can be looked for', async () => {
    const at = await setting();
    await putLock(at, { pid: NO_PROCESS });
    await using lock = await lockItem(at.vault, 'web01');
    expect(lock.takenOver).toContain(`process ${NO_PROCESS}`);
    expect(at.slept).toEqual([]);
  });

  it.each([
    ['another host', { host: 'elsewhere' }],
    ['another start of the machine', { boot: 'another' }],
    ['another container', { pids: 'pid:[1]' }],
  ] as const)('is taken over only after two missed heartbeats when it is of %s', async (_, change) => {
    const at = await setting();
    await putLock(at, { pid: NO_PROCESS, ...change });
    await using lock = await lockItem(at.vault, 'web01');
    expect(lock.takenOver).toBeDefined();
    expect(at.slept).toEqual([45_000]);
  });
});

describe('the lock of a live run', () => {
  it.each([{ host: 'elsewhere' }, { boot: 'another' }, { pids: 'pid:[1]' }])(
    'that beats while it is watched is respected (%o)',
    async (change) => {
      const at = await setting();
      await putLock(at, { pid: NO_PROCESS, ...change });
      at.asleep(() => putLock(at, { pid: NO_PROCESS, ...change, beat: 1 }));
      await expect(lockItem(at.vault, 'web01')).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
      expect((await ownerOf(at)).token).toBe('other');
    },
  );

  it('that ends while it is watched is free', async () => {
    const at = await setting();
    await putLock(at, { host: 'elsewhere' });
    at.asleep(() => at.vault.store.remove(at.path));
    await using _lock = await lockItem(at.vault, 'web01');
    expect((await ownerOf(at)).pid).toBe(process.pid);
  });

  it('is not removed by a run that saw a dead one in its place', async () => {
    const at = await setting();
    await putLock(at, { pid: NO_PROCESS });
    const [one, two] = await Promise.allSettled([lockItem(at.vault, 'web01'), lockItem(at.vault, 'web01')]);
    const got = [one, two].filter(({ status }) => status === 'fulfilled');
    expect(got).toHaveLength(1);
    for (const run of got) if (run.status === 'fulfilled') await run.value[Symbol.asyncDispose]();
    expect(await locks(at.vault.store)).toEqual([]);
  });
});

describe('a lock that cannot be read', () => {
  it('is taken over when it stays the same for two heartbeats', async () => {
    const at = await setting();
    await writeObject(at.vault.store, at.path, Buffer.from('torn'));
    await using lock = await lockItem(at.vault, 'web01');
    expect(lock.takenOver).toBe('an unreadable lock was taken over');
    expect(at.slept).toEqual([45_000]);
  });

  it('is respected when it changes meanwhile', async () => {
    const at = await setting();
    await writeObject(at.vault.store, at.path, Buffer.from('torn'));
    at.asleep(async () => {
      await at.vault.store.remove(at.path);
      await writeObject(at.vault.store, at.path, Buffer.from('torn otherwise'));
    });
    await expect(lockItem(at.vault, 'web01')).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
    expect(Buffer.from(await at.vault.store.get(at.path)).toString()).toBe('torn otherwise');
  });
});

describe('a run', () => {
  afterEach(() => void vi.useRealTimers());
  const heartbeat = async (): Promise<void> => {
    await vi.advanceTimersByTimeAsync(20_000);
    await new Promise(setImmediate);
  };

  it('renews its lock, and removes it at the end', async () => {
    const at = await setting();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const lock = await lockItem(at.vault, 'web01');
    await heartbeat();
    await heartbeat();
    expect((await ownerOf(at)).beat).toBe(2);
    expect(await locks(at.vault.store)).toHaveLength(1);
    await lock[Symbol.asyncDispose]();
    expect(await locks(at.vault.store)).toEqual([]);
  });

  it('whose lock was taken over neither renews nor removes it', async () => {
    const at = await setting();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const lock = await lockItem(at.vault, 'web01');
    const other = await ownerOf(at).then((owner) => ({ ...owner, token: 'other' }));
    await at.vault.store.remove(at.path);
    await writeObject(at.vault.store, at.path, sealLock(at.vault, Buffer.from(JSON.stringify(other))));
    await heartbeat();
    expect(await ownerOf(at)).toEqual(other);
    await lock[Symbol.asyncDispose]();
    expect(await ownerOf(at)).toEqual(other);
  });

  it('waits for a heartbeat in flight before it removes its lock', async () => {
    const at = await setting();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { rename } = at.vault.store;
    let go: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (go = resolve));
    Object.assign(at.vault.store, { rename: (from: string, to: string) => gate.then(() => rename(from, to)) });
    const lock = await lockItem(at.vault, 'web01');
    await heartbeat();
    const ended = lock[Symbol.asyncDispose]();
    await new Promise(setImmediate);
    expect(await locks(at.vault.store)).toHaveLength(2);
    go();
    await ended;
    expect(await locks(at.vault.store)).toEqual([]);
  });

  it('leaves nothing of a heartbeat that failed', async () => {
    const at = await setting();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const lock = await lockItem(at.vault, 'web01');
    Object.assign(at.vault.store, { rename: () => Promise.reject(new VhdvaultError('IO', 'injected')) });
    await heartbeat();
    expect(await locks(at.vault.store)).toHaveLength(1);
    await lock[Symbol.asyncDispose]();
    expect(await locks(at.vault.store)).toEqual([]);
  });
});

describe('a vault for a single writer', () => {
  it('is locked whole: another item has to wait', async () => {
    const at = await setting({ noLinks: true });
    const lock = await lockItem(at.vault, 'web01');
    expect(await locks(at.vault.store)).toEqual(['vault']);
    await expect(lockItem(at.vault, 'db01')).rejects.toMatchObject({
      code: 'ITEM_LOCKED',
      message: expect.stringContaining('one writer at a time'),
    });
    await lock[Symbol.asyncDispose]();
    await using next = await lockItem(at.vault, 'db01');
    expect(next.takenOver).toBeUndefined();
  });

  it('does not take a lock that is being written for a dead one', async () => {
    const at = await setting({ noLinks: true });
    await writeObject(at.vault.store, at.path, new Uint8Array(0));
    await using lock = await lockItem(at.vault, 'web01');
    expect(at.slept).toEqual([45_000]);
    expect(lock.takenOver).toBeDefined();
  });
});

describe('what dead runs left in locks/', () => {
  it('goes, and what is of live ones or of nobody knows whom stays', async () => {
    const at = await setting();
    const { vault } = at;
    await using _ = await lockItem(vault, 'live');
    const live = await locks(vault.store);
    const others = ['dead', 'part.01234567', 'elsewhere', 'torn.01234567', 'torn'];
    for (const [name, change] of [
      ['dead', { pid: NO_PROCESS }],
      ['part.01234567', { pid: NO_PROCESS }],
      ['mine', {}],
      ['elsewhere', { pid: NO_PROCESS, host: 'elsewhere' }],
    ] as const)
      await putLock({ ...at, path: `locks/${name}` }, change);
    for (const name of ['torn', 'torn.01234567']) await writeObject(vault.store, `locks/${name}`, Buffer.from('torn'));
    expect(await locks(vault.store)).toHaveLength(live.length + others.length + 1);
    await removeDeadLocks(vault);
    expect((await locks(vault.store)).toSorted()).toEqual([...live, 'elsewhere', 'torn'].toSorted());
    expect(at.slept).toEqual([]);
  });

  it('is not removed where a live run placed its own meanwhile', async () => {
    const at = await setting();
    await putLock(at, { pid: NO_PROCESS });
    const { store } = at.vault;
    const rename = async (from: string, to: string): Promise<void> => {
      if (from === at.path) await putLock(at, { token: 'the quicker one' });
      await store.rename(from, to);
    };
    await removeDeadLocks(Object.create(at.vault, { store: { value: { ...store, rename } } }) as Vault);
    expect((await ownerOf(at)).token).toBe('the quicker one');
    expect(await locks(store)).toHaveLength(1);
  });
});
