import { describe, expect, it } from 'vitest';
import { createVault } from '../../src/vault/create-vault.ts';
import { parseSlot } from '../../src/vault/crypto/slot.ts';
import { openStore, type Store, writeObject } from '../../src/vault/open-store.ts';
import { slotsToTry } from '../../src/vault/slots-to-try.ts';
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

const FIELDS = { kdf: 96, memoryKiB: 97, passes: 101, lanes: 105 };
const MOST = { memoryKiB: 2 ** 20, passes: 16, lanes: 16 };

/** The slot with other words on what its key costs. */
function asking(slot: Uint8Array, asked: Partial<Record<keyof typeof FIELDS, number>>): Uint8Array {
  const bytes = Uint8Array.from(slot);
  const view = new DataView(bytes.buffer);
  for (const [field, value] of Object.entries(asked)) {
    const at = FIELDS[field as keyof typeof FIELDS];
    if (field === 'kdf') view.setUint8(at, value);
    else view.setUint32(at, value, true);
  }
  return bytes;
}

describe('a slot that asks for too much', () => {
  const { memoryKiB, passes, lanes } = MOST;
  const asked: [string, Parameters<typeof asking>[1]][] = [
    ['1 TiB of memory', { memoryKiB: 2 ** 30 }],
    ['all the memory that the field has room for', { memoryKiB: 2 ** 32 - 1 }],
    ['1 KiB more than 1 GiB', { memoryKiB: memoryKiB + 1 }],
    ['17 passes', { passes: passes + 1 }],
    ['four thousand million passes', { passes: 2 ** 32 - 1 }],
    ['17 lanes', { ...MOST, lanes: lanes + 1 }],
    ['four thousand million lanes', { lanes: 2 ** 32 - 1 }],
    ['no memory', { memoryKiB: 0 }],
    ['too little memory for its lanes', { memoryKiB: 63, lanes: 8 }],
    ['no pass', { passes: 0 }],
    ['no lane', { lanes: 0 }],
    ['work for a key file', { kdf: 2, memoryKiB: 1, passes: 0, lanes: 0 }],
  ];

  it.each(asked)('is refused before any work is done: %s', async (_, fields) => {
    const { store, name, slot } = await newVault();
    const family = slot.subarray(16, 32);
    const hostile = asking(slot, fields);
    // Not a promise: nothing was begun.
    expect(() => parseSlot(hostile, 'keys/x', family)).toThrow(code('VAULT_DAMAGED'));
    await store.remove(`keys/${name}`);
    await writeObject(store, `keys/${name}`, hostile);
    await expect(sequence(store)).rejects.toEqual(code('VAULT_DAMAGED'));
    await writeObject(store, `keys/${LAST}`, slot);
    await expect(sequence(store)).rejects.toEqual(code('VAULT_KEY_WRONG'));
  });

  it('is a slot where it asks for the most that any may', async () => {
    const { slot } = await newVault();
    expect(parseSlot(asking(slot, MOST), 'keys/x', slot.subarray(16, 32)).cost).toEqual(MOST);
    expect(parseSlot(asking(slot, { kdf: 3, memoryKiB: 2 ** 30 }), 'keys/x', slot.subarray(16, 32)).kdf).toBe(3);
  });

  it('is of another vault without any work, too', async () => {
    const { slot } = await newVault();
    expect(() => parseSlot(slot, 'keys/x', new Uint8Array(16))).toThrow(code('VAULT_DAMAGED'));
  });
});

describe('slots are tried', () => {
  const file = (name: string, memoryKiB: number, passes: number): Parameters<typeof slotsToTry>[0][number] => ({
    ...{ name, stored: new Uint8Array(0), kdf: 1, cost: { memoryKiB, passes, lanes: 1 } },
  });
  const names = (files: Parameters<typeof slotsToTry>[0]): string =>
    slotsToTry(files)
      .map(({ name }) => name)
      .join('');

  it('the cheapest first, so that nobody waits for what somebody put there', () => {
    expect(names([file('d', 2 ** 20, 16), file('b', 65_536, 3), file('c', 65_536, 4), file('a', 0, 0)])).toBe('abcd');
  });

  it('for as long as two that ask for the most would take, and all 64 that a vault may have', () => {
    expect(names(Array.from({ length: 9 }, (_, n) => file(`${n}`, 2 ** 20, 16)))).toBe('01');
    expect(names(Array.from({ length: 64 }, () => file('x', 65_536, 3)))).toHaveLength(64);
  });
});

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

  it('a hundred others lock nobody out, and of thousands no more than 256 are read', async () => {
    const { store, slot } = await newVault();
    const put = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) {
        const bytes = Uint8Array.from(slot);
        bytes[50]! ^= n;
        await writeObject(store, `keys/${n.toString(16).padStart(16, '0')}`, n % 2 ? bytes : new Uint8Array(157));
      }
    };
    await put(0, 100);
    expect(await sequence(store)).toBe(1);
    await put(100, 300);
    const counting = storeFaults(0, 'one');
    await expect(openVault(counting.wrap(store), { secret: PASSPHRASE })).rejects.toEqual(code('VAULT_DAMAGED'));
    expect(counting.log.filter((what) => what.startsWith('get keys/'))).toHaveLength(256);
  });

  it('those that were not tried are told', async () => {
    const { store, name, slot } = await newVault();
    await store.remove(`keys/${name}`);
    for (const n of ['0', '1', '2']) await writeObject(store, `keys/${n.repeat(16)}`, asking(slot, MOST));
    const opening = openVault(store, { secret: { keyFile: new Uint8Array(32) } });
    await expect(opening).rejects.toMatchObject({
      code: 'VAULT_KEY_WRONG',
      message: expect.stringContaining('none of the 2 key slots of this vault; 1 more files in keys/ were not tried'),
    });
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
      message: expect.stringContaining('not open the only key slot'),
    });
  });
});

describe('a vault that nobody can open any more, for what became of keys/,', () => {
  const keys = expect.stringMatching(/bring keys\/.* back from another copy/);

  it('says that all slots are gone, and not that the passphrase is wrong', async () => {
    const { store, name } = await newVault();
    await store.remove(`keys/${name}`);
    const message = expect.stringContaining('no key slot');
    await expect(sequence(store)).rejects.toMatchObject({ code: 'VAULT_DAMAGED', message, hint: keys });
  });

  it('says what opens it where the only slot is damaged, and not to run what cannot run', async () => {
    const { store, name, slot } = await newVault();
    for (const bytes of [flipped(slot, 0), flipped(slot, 40), flipped(slot, 150), slot.subarray(0, 9)]) {
      await store.remove(`keys/${name}`);
      await writeObject(store, `keys/${name}`, bytes);
      const error = await sequence(store).catch((found: unknown) => found);
      if ((error as { code: string }).code === 'VAULT_KEY_WRONG') continue;
      expect(error).toMatchObject({ code: 'VAULT_DAMAGED', hint: keys });
      expect((error as { hint: string }).hint).not.toContain('verify');
    }
  });
});
