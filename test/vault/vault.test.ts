import { cp, mkdir, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import {
  createVault as createSessionVault,
  openVault as openSession,
  type SessionOptions,
} from '../../src/jobs/session.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openFolderStore } from '../../src/vault/store/folder-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { openVault, type SecretBytes } from '../../src/vault/vault.ts';
import { everyDamage } from '../support/every-damage.ts';
import { CHEAP_KDF, fixedRandom, PASSPHRASE } from '../support/fixed-parts.ts';
import { happensBefore, raceAt } from '../support/race.ts';
import { storeFaults } from '../support/store-faults.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const cheap = { kdf: CHEAP_KDF, reserve: 1024 };
const keyFile = { keyFile: new Uint8Array(32).fill(9) };

async function newFolder(): Promise<{ path: string; store: Store }> {
  const path = folder.fresh('vault');
  await mkdir(path);
  return { path, store: openFolderStore(path) };
}
async function newVault(secret?: SecretBytes): Promise<{ path: string; store: Store }> {
  const made = await newFolder();
  await createVault(made.store, { ...cheap, ...(secret && { secret }) });
  return made;
}
const code = (word: string): object => expect.objectContaining({ code: word });

describe('making a vault', () => {
  it('leaves the tree of FORMAT.md and nothing else', async () => {
    const { path } = await newVault(PASSPHRASE);
    const names = [
      'ckpt',
      'index',
      'keys',
      'lists',
      'locks',
      'log',
      'packs',
      'quarantine',
      'reserve',
      'staging',
      'vault.json',
    ];
    expect((await readdir(path)).sort()).toEqual(names);
    expect(await readdir(join(path, 'packs'))).toHaveLength(256);
    expect(await readdir(join(path, 'log'))).toEqual(['00000000000000000001']);
    expect(await readdir(join(path, 'staging'))).toEqual([]);
    expect((await readFile(join(path, 'reserve'))).byteLength).toBe(1024);
  });

  it.each([['notes.txt'], ['log/mine'], ['staging/mine'], ['packs/aa'], ['reserve'], ['keys/id_rsa']])(
    'refuses a folder that holds %s, and leaves it alone',
    async (name) => {
      const { path, store } = await newFolder();
      await mkdir(join(path, name, '..'), { recursive: true });
      await writeFile(join(path, name), 'precious');
      await expect(createVault(store, cheap)).rejects.toEqual(code('VAULT_EXISTS'));
      expect(await readFile(join(path, name), 'utf8')).toBe('precious');
    },
  );

  it('refuses a vault, and one that lost its vault.json', async () => {
    const { path, store } = await newVault();
    await expect(createVault(store, cheap)).rejects.toEqual(code('VAULT_EXISTS'));
    await unlink(join(path, 'vault.json'));
    await expect(createVault(store, cheap)).rejects.toEqual(code('VAULT_EXISTS'));
    expect(await readdir(join(path, 'log'))).toHaveLength(1);
  });

  it('that dies or fails at any operation leaves a whole vault, or nothing that stops the next init', async () => {
    const { store: rehearsal } = await newFolder();
    const counting = storeFaults(0, 'one');
    await createVault(counting.wrap(rehearsal), { ...cheap, secret: PASSPHRASE });
    const last = counting.count;
    expect(last).toBeGreaterThan(280);
    let whole = 0;
    for (const mode of ['dead', 'late'] as const) {
      for (let k = 1; k <= last; k++) {
        // The 256 folders of packs/ are all alike: two of them stand for all.
        if (k > 15 && k < last - 30 && k % 120 !== 0) continue;
        const { store } = await newFolder();
        const faults = storeFaults(k, mode);
        await createVault(faults.wrap(store), { ...cheap, secret: PASSPHRASE }).catch(() => undefined);
        expect(faults.hit).toBe(true);
        if (await store.size('vault.json')) whole++;
        else await createVault(store, { ...cheap, secret: PASSPHRASE });
        const vault = await openVault(store, { secret: PASSPHRASE });
        expect(vault.state.sequence, faults.what).toBe(1);
      }
    }
    expect(whole).toBeGreaterThan(1);
  });

  it.each(['link vault.json', 'create log/'])(
    'twice at once makes one vault, whole, wherever the first one stood still (%s) while the second one began',
    async (where) => {
      for (let k = 1; k <= 20; k += 2) {
        const { store } = await newFolder();
        const made: string[] = [];
        const init = (at: Store, name: string): Promise<unknown> =>
          createVault(at, { ...cheap, secret: PASSPHRASE }).then(
            () => made.push(name),
            (error: unknown) => expect(isError(error), String(error)).toBe(true),
          );
        const [reached, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const standsStill = happensBefore(
          (what) => what.startsWith(where),
          async () => {
            reached.resolve();
            await release.promise;
          },
        );
        const first = init(standsStill(store), 'first');
        await reached.promise;
        const goOn = async (): Promise<void> => {
          release.resolve();
          await first;
        };
        const race = raceAt(k, goOn);
        await init(race.wrap(store), 'second');
        await goOn();
        // Where they met in the middle neither may be done; then the next one is.
        if (made.length === 0) await init(store, 'third');
        expect(made, `${k}: ${race.what}`).toHaveLength(1);
        expect((await openVault(store, { secret: PASSPHRASE })).state.sequence, race.what).toBe(1);
      }
    },
  );

  it('refuses secrets that are none and block sizes that are not possible', async () => {
    const { path, store } = await newFolder();
    for (const secret of [{ passphrase: '' }, { keyFile: new Uint8Array(31) }]) {
      await expect(createVault(store, { ...cheap, secret })).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    }
    for (const blockSize of [0, 512, 8192, 100_000, 8 << 20, Number.NaN, -16384]) {
      await expect(createVault(store, { ...cheap, blockSize })).rejects.toEqual(code('USAGE'));
    }
    expect(await readdir(path)).toEqual([]);
  });

  it('gives two vaults different keys, ids and names', async () => {
    const [one, other] = [await newVault(PASSPHRASE), await newVault(PASSPHRASE)];
    const [a, b] = [
      await openVault(one.store, { secret: PASSPHRASE }),
      await openVault(other.store, { secret: PASSPHRASE }),
    ];
    expect(Buffer.compare(a.keys.master, b.keys.master)).not.toBe(0);
    expect(a.id).not.toBe(b.id);
    expect(a.nameHash('item', 'web01')).not.toBe(b.nameHash('item', 'web01'));
  });
});

describe('opening a vault', () => {
  it('takes the passphrase or the key file that it was made with, and no other', async () => {
    const [byPhrase, byFile] = [await newVault(PASSPHRASE), await newVault(keyFile)];
    expect((await openVault(byPhrase.store, { secret: PASSPHRASE })).state.sequence).toBe(1);
    expect((await openVault(byFile.store, { secret: keyFile })).state.sequence).toBe(1);
    for (const secret of [{ passphrase: 'Correct horse battery staple' }, keyFile]) {
      await expect(openVault(byPhrase.store, { secret })).rejects.toEqual(code('VAULT_KEY_WRONG'));
    }
    for (const secret of [{ keyFile: new Uint8Array(32).fill(8) }, PASSPHRASE]) {
      await expect(openVault(byFile.store, { secret })).rejects.toEqual(code('VAULT_KEY_WRONG'));
    }
    await expect(openVault(byPhrase.store)).rejects.toEqual(code('VAULT_KEY_MISSING'));
  });

  it('refuses a passphrase for a vault that is not encrypted', async () => {
    const { store } = await newVault();
    expect((await openVault(store)).config.encrypted).toBe(false);
    await expect(openVault(store, { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_KEY_REFUSED'));
  });

  it('says that there is none where there is none', async () => {
    await expect(openVault(openFolderStore(folder.fresh('nothing')))).rejects.toEqual(code('VAULT_MISSING'));
    const { store } = await newFolder();
    await expect(openVault(store)).rejects.toEqual(code('VAULT_MISSING'));
  });

  it('refuses a slot that the log does not list: of another vault, or put back', async () => {
    const [one, other] = [await newVault(PASSPHRASE), await newVault(PASSPHRASE)];
    const [slot] = await readdir(join(one.path, 'keys'));
    const [foreign] = await readdir(join(other.path, 'keys'));
    const bytes = await readFile(join(one.path, 'keys', slot!));
    await cp(join(other.path, 'keys', foreign!), join(one.path, 'keys', slot!));
    await expect(openVault(one.store, { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_DAMAGED'));
    await rm(join(one.path, 'keys', slot!));
    await writeFile(join(one.path, 'keys', 'ffffffffffffffff'), bytes);
    await expect(openVault(one.store, { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_KEY_WRONG'));
    await rm(join(one.path, 'keys', 'ffffffffffffffff'));
    await expect(openVault(one.store, { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_DAMAGED'));
  });

  it("is not stopped by a stranger's file among the slots", async () => {
    const { path, store } = await newVault(PASSPHRASE);
    await writeFile(join(path, 'keys', '.DS_Store'), 'x');
    await writeFile(join(path, 'keys', 'zzz'), Buffer.alloc(157));
    expect((await openVault(store, { secret: PASSPHRASE })).state.sequence).toBe(1);
  });

  it.each([
    ['vault.json', PASSPHRASE],
    ['vault.json', undefined],
    ['log/00000000000000000001', PASSPHRASE],
    ['log/00000000000000000001', undefined],
    ['the slot', PASSPHRASE],
  ] as const)('is refused with a typed error after every flip and cut of %s (secret: %o)', async (name, secret) => {
    const { path, store } = await newVault(secret);
    const file = join(path, name === 'the slot' ? `keys/${(await readdir(join(path, 'keys')))[0]}` : name);
    const bytes = await readFile(file);
    const bad: string[] = [];
    for (const damage of everyDamage(bytes, 3)) {
      await writeFile(file, damage.bytes);
      const outcome = await openVault(store, secret && { secret }).then(
        ({ damage: told }) => told?.code ?? 'opened',
        (error: { code: string }) => error.code,
      );
      if (!['VAULT_DAMAGED', 'VAULT_NEWER', 'VAULT_KEY_WRONG'].includes(outcome))
        bad.push(`${damage.name}: ${outcome}`);
    }
    expect(bad).toEqual([]);
  });

  it('is refused when its vault.json is that of another vault with the same key', async () => {
    const random = fixedRandom();
    const [one, other] = [await newFolder(), await newFolder()];
    await createVault(one.store, { ...cheap, secret: PASSPHRASE, random });
    await createVault(other.store, { ...cheap, secret: PASSPHRASE, random: fixedRandom(), blockSize: 16384 });
    await cp(join(other.path, 'vault.json'), join(one.path, 'vault.json'));
    await expect(openVault(one.store, { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_DAMAGED'));
  });
});

describe('a vault that was seen before', () => {
  interface Seen {
    address: string;
    options: SessionOptions;
    open: (more?: SessionOptions) => Promise<number>;
    commit: () => Promise<void>;
  }
  async function seen(encrypted = true): Promise<Seen> {
    const [address, state, cache] = [folder.fresh('vault'), folder.fresh('state'), folder.fresh('cache')];
    const options: SessionOptions = {
      state,
      cache,
      threads: 1,
      parts: cheap,
      ...(encrypted && PASSPHRASE),
    };
    await createSessionVault(address, { ...options, unencrypted: !encrypted });
    return {
      address,
      options,
      async open(more = {}) {
        await using session = await openSession(address, { ...options, ...more });
        return session.vault.state.sequence;
      },
      async commit() {
        await using session = await openSession(address, options);
        await session.vault.openJob(Buffer.from(session.vault.random.bytes(16)).toString('hex'), 'staging');
        await session.rememberHead();
      },
    };
  }
  const rolledBack = code('VAULT_ROLLED_BACK');

  it('and went back is refused until that is accepted', async () => {
    const { address, open, commit } = await seen();
    await cp(address, `${address}.old`, { recursive: true });
    await commit();
    expect(await open()).toBe(2);
    await rm(address, { recursive: true });
    await cp(`${address}.old`, address, { recursive: true });
    await expect(open()).rejects.toEqual(rolledBack);
    await expect(open()).rejects.toEqual(rolledBack);
    expect(await open({ acceptRollback: true })).toBe(1);
    expect(await open()).toBe(1);
  });

  it('and took another way since is refused until that is accepted', async () => {
    const { address, open, commit, options } = await seen();
    await cp(address, `${address}.old`, { recursive: true });
    await commit();
    await rm(address, { recursive: true });
    await cp(`${address}.old`, address, { recursive: true });
    const elsewhere = { ...options, state: folder.fresh('state') };
    for (let n = 0; n < 3; n++) {
      await using session = await openSession(address, elsewhere);
      await session.vault.openJob(`${n}`.repeat(32), 'staging');
    }
    await expect(open()).rejects.toEqual(rolledBack);
    expect(await open({ acceptRollback: true })).toBe(4);
    expect(await open()).toBe(4);
  });

  it('and is another one now, or not encrypted any more, is refused until that is accepted', async () => {
    const { address, options, open } = await seen();
    await rm(address, { recursive: true });
    await createVault(await mkdir(address).then(() => openFolderStore(address)), cheap);
    await expect(open()).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    const { passphrase: _, ...clear } = options;
    await expect(openSession(address, clear)).rejects.toEqual(rolledBack);
    await using session = await openSession(address, { ...clear, acceptRollback: true });
    expect(session.vault.config.encrypted).toBe(false);
  });

  it('and lost its newest entry is refused, also after somebody looked at it damaged', async () => {
    const { address, open, commit } = await seen();
    await commit();
    const newest = join(address, 'log/00000000000000000002');
    await writeFile(newest, 'torn');
    expect(await open()).toBe(1);
    await unlink(newest);
    await expect(open()).rejects.toEqual(rolledBack);
  });

  it('is opened without a word on a machine that never saw it, and after growing', async () => {
    const { open, commit } = await seen();
    await commit();
    expect(await open({ state: folder.fresh('state') })).toBe(2);
    await commit();
    expect(await open()).toBe(3);
  });

  it('is opened with a notice when the state folder cannot be written, and with a temporary cache when that cannot be', async () => {
    const { open } = await seen();
    const file = folder.fresh('file');
    await writeFile(file, 'x');
    const notices: string[] = [];
    const more = {
      state: join(file, 'state'),
      cache: join(file, 'cache'),
      onNotice: (words: string) => notices.push(words),
    };
    expect(await open(more)).toBe(1);
    expect(notices).toHaveLength(2);
  });
});
