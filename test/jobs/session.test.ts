import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createVault, openVault, type SessionOptions } from '../../src/jobs/session.ts';
import { openMemoryStore, wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { CHEAP_KDF, fixedRandom, PASSPHRASE } from '../support/fixed-parts.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
let address = '';
let keyFile = '';
let places: SessionOptions;

beforeEach(async () => {
  address = temp.fresh('vault');
  keyFile = temp.fresh('key');
  places = { cache: temp.fresh('cache'), state: temp.fresh('state'), parts: { kdf: CHEAP_KDF, reserve: 0 } };
  await writeFile(keyFile, Buffer.alloc(32, 7));
});

const opens = async (options: SessionOptions): Promise<boolean> => {
  await using session = await openVault(address, { ...places, ...options });
  return session.vault.config.encrypted;
};

describe('a vault', () => {
  it('is made and opened by a passphrase that stands in the options', async () => {
    await createVault(address, { ...places, ...PASSPHRASE });
    expect(await opens(PASSPHRASE)).toBe(true);
    await expect(opens({ passphrase: 'another' })).rejects.toMatchObject({ code: 'VAULT_KEY_WRONG' });
    await expect(opens({ keyFile })).rejects.toMatchObject({ code: 'VAULT_KEY_WRONG' });
  });

  it('is made and opened by a key file that stands in the options', async () => {
    await createVault(address, { ...places, keyFile, passphrase: undefined });
    expect(await opens({ keyFile, passphrase: undefined })).toBe(true);
    await expect(opens(PASSPHRASE)).rejects.toMatchObject({ code: 'VAULT_KEY_WRONG' });
  });

  it.each([
    ['both secrets', () => ({ ...PASSPHRASE, keyFile }), 'USAGE'],
    ['a passphrase, and that it shall not be encrypted', () => ({ ...PASSPHRASE, unencrypted: true }), 'USAGE'],
    ['a key file, and that it shall not be encrypted', () => ({ keyFile, unencrypted: true }), 'USAGE'],
    ['no threads', () => ({ ...PASSPHRASE, threads: 0 }), 'USAGE'],
    ['half a thread', () => ({ ...PASSPHRASE, threads: 0.5 }), 'USAGE'],
    ['a passphrase that nobody has set', () => ({ passphrase: undefined }), 'VAULT_KEY_MISSING'],
    ['a secret where none is looked for', () => ({ secret: PASSPHRASE }) as SessionOptions, 'VAULT_KEY_MISSING'],
  ])('is not made with %s', async (_, options, code) => {
    const made = createVault(address, { ...places, ...options() });
    await expect(made).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(existsSync(address)).toBe(false);
  });

  it.each([
    ['both secrets', () => ({ ...PASSPHRASE, keyFile }), 'USAGE'],
    ['no threads', () => ({ ...PASSPHRASE, threads: 0 }), 'USAGE'],
    ['no secret', () => ({}), 'VAULT_KEY_MISSING'],
  ])('is not opened with %s', async (_, options, code) => {
    await createVault(address, { ...places, ...PASSPHRASE });
    await expect(opens(options())).rejects.toMatchObject({ code });
  });

  it('that was made is there, also for who cancelled meanwhile', async () => {
    const cancel = new AbortController();
    const random = fixedRandom();
    const bytes = (length: number): Uint8Array => {
      cancel.abort();
      return random.bytes(length);
    };
    const parts = { ...places.parts, random: { bytes } };
    const { encrypted } = await createVault(address, { ...places, ...PASSPHRASE, parts, signal: cancel.signal });
    expect([encrypted, cancel.signal.aborted]).toEqual([true, true]);
    expect(await opens(PASSPHRASE)).toBe(true);
  });
});

describe('opening a vault', () => {
  const name = 'session-test';
  afterEach(() => wrapMemoryStore(name, (store) => store));

  it('that is cancelled while its key is derived leaves nothing on this machine', async () => {
    const store = { kind: 'memory', name } as const;
    const options = { ...places, ...PASSPHRASE, parts: { ...places.parts, store } };
    await createVault(address, options);
    const cancel = new AbortController();
    const plain = openMemoryStore(name);
    const get = (path: string): Promise<Uint8Array> => {
      cancel.abort();
      return plain.get(path);
    };
    wrapMemoryStore(name, () => ({ ...plain, get }));
    const [cache, state] = [temp.fresh('cache'), temp.fresh('state')];
    const opened = openVault(address, { ...options, cache, state, signal: cancel.signal });
    await expect(opened).rejects.toMatchObject({ code: 'CANCELLED' });
    expect([existsSync(cache), existsSync(state)]).toEqual([false, false]);
  });
});
