import { describe, expect, it } from 'vitest';
import { createVault } from '../../src/vault/create-vault.ts';
import { openStore, type Store, writeObject } from '../../src/vault/open-store.ts';
import { openVault } from '../../src/vault/vault.ts';
import { CHEAP_KDF, PASSPHRASE } from '../support/fixed-parts.ts';
import { storeFaults } from '../support/store-faults.ts';

let count = 0;
const [FIRST, LAST] = ['0'.repeat(16), 'f'.repeat(16)];
const code = (word: string): object => expect.objectContaining({ code: word });

/** A vault with one slot, in the middle of what else will lie in keys/. */
async function newVault(): Promise<{ store: Store; name: string; slot: Uint8Array }> {
  const store = openStore({ kind: 'memory', name: `slots-${count++}` });
  await createVault(store, { kdf: CHEAP_KDF, reserve: 0, secret: PASSPHRASE });
  const [name] = (await store.list('keys')) as [string];
  return { store, name, slot: await store.get(`keys/${name}`) };
}
const sequence = async (store: Store): Promise<number> =>
  (await openVault(store, { secret: PASSPHRASE })).state.sequence;

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

describe('among the slots of a vault', () => {
  const strange: [string, (slot: Uint8Array) => Uint8Array][] = [
    ['nothing', () => new Uint8Array(0)],
    ['something large', () => new Uint8Array(1 << 20)],
    ['noise as long as a slot', (slot) => new Uint8Array(slot.byteLength).fill(7)],
    ['a slot of a later version', (slot) => flipped(slot, 9)],
    ['a slot with another family', (slot) => flipped(slot, 20)],
    ['a slot with a changed seal', (slot) => flipped(slot, slot.byteLength - 1)],
    ['a slot that asks for terabytes', (slot) => flipped(slot, 100)],
    ['a copy of the slot, which the log does not list', (slot) => slot],
  ];

  it.each(strange)('%s locks nobody out', async (_, make) => {
    for (const name of [FIRST, LAST]) {
      const { store, slot } = await newVault();
      await writeObject(store, `keys/${name}`, make(slot));
      expect(await sequence(store)).toBe(1);
    }
  });

  it('what cannot be read or is no file locks nobody out', async () => {
    const { store } = await newVault();
    const path = `keys/${FIRST}`;
    const withFolder: Store = {
      ...store,
      list: async (folder) => (folder === 'keys' ? [FIRST, ...(await store.list(folder))] : store.list(folder)),
      size: async (of) => (of === path ? 157 : store.size(of)),
    };
    expect(await sequence(withFolder)).toBe(1);
    const faults = storeFaults(0, 'one');
    await sequence(faults.wrap(withFolder));
    const reading = faults.log.indexOf(`get ${path}`) + 1;
    const failing = storeFaults(reading, 'one');
    expect(await sequence(failing.wrap(withFolder))).toBe(1);
    expect(failing.what).toBe(`get ${path}`);
  });

  it('what is far too long is not even read', async () => {
    const { store } = await newVault();
    await writeObject(store, `keys/${FIRST}`, new Uint8Array(1 << 20));
    const counting = storeFaults(0, 'one');
    await sequence(counting.wrap(store));
    expect(counting.log).not.toContain(`get keys/${FIRST}`);
  });

  it('no more than 64 are tried, however many there are', async () => {
    const { store } = await newVault();
    for (let n = 0; n < 70; n++)
      await writeObject(store, `keys/${n.toString(16).padStart(16, '0')}`, new Uint8Array(157));
    const counting = storeFaults(0, 'one');
    await expect(openVault(counting.wrap(store), { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_DAMAGED'));
    expect(counting.log.filter((what) => what.startsWith('get keys/'))).toHaveLength(64);
  });

  it('one that the log does not list opens nothing by itself, whatever else lies there', async () => {
    const { store, name, slot } = await newVault();
    await store.remove(`keys/${name}`);
    await writeObject(store, `keys/${FIRST}`, slot);
    await writeObject(store, `keys/${LAST}`, new Uint8Array(3));
    await expect(sequence(store)).rejects.toMatchObject({
      code: 'VAULT_KEY_WRONG',
      message: expect.stringContaining('no key slot of this vault any more'),
    });
  });

  it("a stranger's file does not turn a wrong passphrase into damage", async () => {
    const { store } = await newVault();
    await writeObject(store, 'keys/.DS_Store', new Uint8Array(3));
    const opening = openVault(store, { secret: { passphrase: 'wrong' } });
    await expect(opening).rejects.toMatchObject({
      code: 'VAULT_KEY_WRONG',
      message: expect.stringContaining('of the 1 key'),
    });
  });
});
