import { beforeAll, describe, expect, it } from 'vitest';
import { createVault } from '../../src/vault/create-vault.ts';
import { addSlot, changeSlot, listSlots, removeSlot } from '../../src/vault/key-slots.ts';
import { openStore, type Store } from '../../src/vault/open-store.ts';
import { openVault, type SecretBytes, type Vault } from '../../src/vault/vault.ts';
import { putFile, readAll, storeOf } from '../support/copied-store.ts';
import { CHEAP_KDF, PASSPHRASE } from '../support/fixed-parts.ts';
import { type FaultMode, storeFaults } from '../support/store-faults.ts';

const NEW: SecretBytes = { passphrase: 'a new one' };
const FILE: SecretBytes = { keyFile: new Uint8Array(32).fill(9) };
const kdf = CHEAP_KDF;
const code = (word: string): object => expect.objectContaining({ code: word });

/** A vault with a slot for PASSPHRASE, as files. */
let one: Map<string, Uint8Array>;
/** And with another one for FILE, labelled cron. */
let two: Map<string, Uint8Array>;

beforeAll(async () => {
  const store = openStore({ kind: 'memory', name: 'key-slots' });
  await createVault(store, { kdf, reserve: 0, secret: PASSPHRASE });
  one = await readAll(store);
  await addSlot(await open(store), { secret: FILE, label: 'cron', kdf });
  two = await readAll(store);
});

const open = (store: Store, secret: SecretBytes = PASSPHRASE): Promise<Vault> => openVault(store, { secret });
const opens = (store: Store, secret: SecretBytes): Promise<boolean> =>
  open(store, secret).then(
    () => true,
    (error: { code: string }) => {
      expect(error.code).toBe('VAULT_KEY_WRONG');
      return false;
    },
  );
const change = (
  vault: Vault,
  secret: SecretBytes = NEW,
  old: SecretBytes = PASSPHRASE,
): ReturnType<typeof changeSlot> => changeSlot(vault, { secret, kdf }, { secret: old });
const namesIn = (store: Store): Promise<string[]> => store.list('keys');

describe('a key slot', () => {
  it('that is added opens the vault beside the others, and is listed with kind, time and label', async () => {
    const store = await storeOf(one);
    const vault = await open(store);
    const { added } = await addSlot(vault, { secret: FILE, label: 'cron', kdf });
    expect([await opens(store, PASSPHRASE), await opens(store, FILE), await opens(store, NEW)]).toEqual([
      true,
      true,
      false,
    ]);
    const { slots, unlisted } = await listSlots(await open(store, FILE));
    expect(unlisted).toEqual([]);
    expect(slots).toMatchObject([
      { name: vault.slot, kdf: 1, label: '', opened: false, trouble: undefined },
      { name: added, kdf: 2, label: 'cron', opened: true, trouble: undefined },
    ]);
    expect(slots[1]!.added).toBeGreaterThanOrEqual(slots[0]!.added);
  });

  it('that was changed opens nothing any more, also when its file is put back', async () => {
    const store = await storeOf(one);
    const [name] = (await namesIn(store)) as [string];
    const old = await store.get(`keys/${name}`);
    const vault = await open(store);
    const { added, removed } = await change(vault);
    expect(removed).toEqual([name]);
    expect(await namesIn(store)).toEqual([added]);
    expect([await opens(store, PASSPHRASE), await opens(store, NEW)]).toEqual([false, true]);
    for (const place of [name, '0'.repeat(16)]) {
      await putFile(store, `keys/${place}`, old);
      await expect(open(store)).rejects.toMatchObject({
        code: 'VAULT_KEY_WRONG',
        message: expect.stringContaining('any more'),
      });
    }
    await putFile(store, `keys/${added}`, old);
    await expect(open(store)).rejects.toEqual(code('VAULT_KEY_WRONG'));
  });

  it('keeps its label when it is changed, and is what the session goes on with', async () => {
    const store = await storeOf(two);
    const vault = await open(store, FILE);
    const { added } = await change(vault, NEW, FILE);
    expect(vault.slot).toBe(added);
    expect((await listSlots(vault)).slots).toMatchObject([{ label: '' }, { label: 'cron', opened: true, kdf: 1 }]);
    await change(vault, FILE, NEW);
    expect([await opens(store, NEW), await opens(store, FILE), await opens(store, PASSPHRASE)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('is changed with all others of the same secret, so that the old one is refused', async () => {
    const store = await storeOf(two);
    const { sameAs } = await addSlot(await open(store), { secret: PASSPHRASE, label: 'again', kdf });
    expect(sameAs).toHaveLength(1);
    const { removed } = await change(await open(store));
    expect(removed).toHaveLength(2);
    expect([await opens(store, PASSPHRASE), await opens(store, NEW), await opens(store, FILE)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('may get the secret that it had, which is told', async () => {
    const store = await storeOf(one);
    const { removed, sameAs } = await change(await open(store), PASSPHRASE);
    expect(sameAs).toEqual(removed);
    expect(await opens(store, PASSPHRASE)).toBe(true);
  });

  it('that is another one than opened the vault can be changed and removed', async () => {
    const store = await storeOf(two);
    const vault = await open(store);
    const own = vault.slot;
    await changeSlot(vault, { secret: NEW, kdf }, { slot: 'cron' });
    expect(vault.slot).toBe(own);
    expect([await opens(store, FILE), await opens(store, NEW)]).toEqual([false, true]);
    await removeSlot(vault, 'cron');
    expect([await opens(store, NEW), await opens(store, PASSPHRASE)]).toEqual([false, true]);
    expect(await namesIn(store)).toHaveLength(1);
  });

  it('that opened the vault can be removed; then the session changes nothing any more', async () => {
    const store = await storeOf(two);
    const vault = await open(store);
    await removeSlot(vault, vault.slot!);
    expect([await opens(store, PASSPHRASE), await opens(store, FILE)]).toEqual([false, true]);
    await expect(addSlot(vault, { secret: NEW, kdf })).rejects.toEqual(code('VAULT_KEY_WRONG'));
    await expect(removeSlot(vault, 'cron')).rejects.toEqual(code('VAULT_KEY_WRONG'));
    expect(await namesIn(store)).toHaveLength(1);
  });

  it('is never removed where no other one opens the vault', async () => {
    const alone = await storeOf(one);
    await expect(removeSlot(await open(alone), (await namesIn(alone))[0]!)).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    for (const hurt of ['missing', 'changed'] as const) {
      const store = await storeOf(two);
      const vault = await open(store);
      const [cron] = (await listSlots(vault)).slots.filter(({ label }) => label === 'cron');
      const bytes = await store.get(`keys/${cron!.name}`);
      await (hurt === 'missing'
        ? store.remove(`keys/${cron!.name}`)
        : putFile(store, `keys/${cron!.name}`, bytes.fill(1, 100)));
      await expect(removeSlot(vault, vault.slot!)).rejects.toEqual(code('VAULT_KEY_REFUSED'));
      expect(await opens(store, PASSPHRASE)).toBe(true);
      await removeSlot(vault, 'cron');
      expect((await listSlots(vault)).slots).toHaveLength(1);
    }
  });

  it('is the 64th at most', async () => {
    const store = await storeOf(one);
    const vault = await open(store);
    for (let n = 2; n <= 64; n++)
      await addSlot(vault, { secret: { keyFile: new Uint8Array(32).fill(n) }, label: `${n}` });
    await expect(addSlot(vault, { secret: NEW, kdf })).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    expect(await namesIn(store)).toHaveLength(64);
    await change(vault);
    expect([await opens(store, NEW), await opens(store, { keyFile: new Uint8Array(32).fill(64) })]).toEqual([
      true,
      true,
    ]);
  });

  it.each([
    ['empty', { passphrase: '' }],
    ['too short', { keyFile: new Uint8Array(31) }],
  ] as const)('is refused where its secret is %s', async (_, secret) => {
    const store = await storeOf(one);
    await expect(addSlot(await open(store), { secret, kdf })).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    await expect(change(await open(store), secret)).rejects.toEqual(code('VAULT_KEY_REFUSED'));
    expect(await namesIn(store)).toHaveLength(1);
  });

  it.each([['cron'], [' x'], ['x '], ['a\nb'], ['\x1b[2J'], ['x'.repeat(101)]])('is not labelled %j', async (label) => {
    const store = await storeOf(two);
    await expect(addSlot(await open(store), { secret: NEW, label, kdf })).rejects.toEqual(code('USAGE'));
    expect(await namesIn(store)).toHaveLength(2);
  });
});

describe('whoever names a slot', () => {
  it('gives its name, its label, or as much of its name as is its own', async () => {
    const store = await storeOf(two);
    const vault = await open(store);
    const name = (await listSlots(vault)).slots[1]!.name;
    for (const word of [name.slice(0, 15), 'cron', name]) {
      const copy = await storeOf(two);
      expect((await removeSlot(await open(copy), word)).removed).toEqual([name]);
    }
    for (const word of ['', 'x', 'Cron', `${name}0`, 'keys', '../vault.json'])
      await expect(removeSlot(vault, word), word).rejects.toEqual(code('NO_SUCH_SLOT'));
    await expect(removeSlot(vault, '')).rejects.toThrow('was named by an empty text');
    expect(await namesIn(store)).toHaveLength(2);
  });

  it('is told when it is several', async () => {
    const store = await storeOf(one);
    const vault = await open(store);
    for (let n = 0; n < 17; n++) await addSlot(vault, { secret: { keyFile: new Uint8Array(32).fill(n) } });
    const letters = (await namesIn(store)).map((name) => name[0]!);
    const twice = letters.find((letter, n) => letters.indexOf(letter) !== n)!;
    await expect(removeSlot(vault, twice)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(', '),
    });
  });

  it('removes a file that the log does not list by its name, and nothing that no slot would be called', async () => {
    const store = await storeOf(two);
    const vault = await open(store);
    await putFile(store, `keys/${'0'.repeat(16)}`, new Uint8Array(157));
    await putFile(store, 'keys/notes.txt', new Uint8Array(3));
    expect((await listSlots(vault)).unlisted).toEqual(['0'.repeat(16), 'notes.txt']);
    await expect(removeSlot(vault, 'notes.txt')).rejects.toEqual(code('NO_SUCH_SLOT'));
    expect((await removeSlot(vault, '0'.repeat(16))).removed).toEqual(['0'.repeat(16)]);
    expect((await listSlots(vault)).unlisted).toEqual(['notes.txt']);
    expect(vault.state.sequence).toBe(2);
  });
});

describe('two changes at once', () => {
  it('lose none of the slots, whoever is first', async () => {
    const store = await storeOf(two);
    const [one, other] = [await open(store), await open(store, FILE)];
    const more = [1, 2, 3].map((n) => ({ secret: { keyFile: new Uint8Array(32).fill(n) }, label: `${n}`, kdf }));
    await Promise.all([
      change(one),
      change(other, { passphrase: 'third' }, FILE),
      ...more.map(async (key) => addSlot(await open(store), key)),
    ]);
    for (const secret of [NEW, { passphrase: 'third' }, ...more.map((key) => key.secret)])
      expect(await opens(store, secret)).toBe(true);
    for (const secret of [PASSPHRASE, FILE]) expect(await opens(store, secret)).toBe(false);
    expect(await namesIn(store)).toHaveLength(5);
  });

  it('of one slot leave the first, and the second is told', async () => {
    const store = await storeOf(one);
    const vaults = [await open(store), await open(store)];
    const secrets = vaults.map((_, n) => ({ passphrase: `new ${n}` }));
    const ended = await Promise.allSettled(vaults.map((vault, n) => change(vault, secrets[n])));
    const first = ended.findIndex(({ status }) => status === 'fulfilled');
    expect(ended[1 - first]).toMatchObject({ status: 'rejected', reason: { code: 'VAULT_KEY_WRONG' } });
    expect([await opens(store, secrets[first]!), await opens(store, secrets[1 - first]!)]).toEqual([true, false]);
    expect(await namesIn(store)).toHaveLength(1);
  });

  it('that take both slots away leave one', async () => {
    const store = await storeOf(two);
    const [one, other] = [await open(store), await open(store, FILE)];
    const ended = await Promise.allSettled([removeSlot(one, one.slot!), removeSlot(other, other.slot!)]);
    expect(ended.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect([await opens(store, PASSPHRASE), await opens(store, FILE)].filter(Boolean)).toHaveLength(1);
  });
});

describe('the file of a new slot', () => {
  it('is durable and was opened before the log lists it, and the old one goes when the log is durable', async () => {
    const store = await storeOf(one);
    const [old] = await namesIn(store);
    const counting = storeFaults(0, 'one');
    const { added } = await change(await open(counting.wrap(store)));
    const at = (what: string): number => counting.log.lastIndexOf(what);
    const entry = at('link log/00000000000000000002');
    const part = expect.stringMatching(/ staging\/slot-[0-9a-f]{8}$/);
    const before = counting.log.slice(0, entry);
    const [create, , sync] = before.filter((what) => what.includes('staging/slot-'));
    expect([create, sync]).toEqual([part, part]);
    expect(sync).toMatch(/^sync /);
    const named = before.indexOf(`rename keys/${added}`);
    expect(named).toBeGreaterThan(before.indexOf(sync as string));
    expect(before.slice(named + 1, named + 3)).toEqual(['syncFolder keys', `get keys/${added}`]);
    const durable = counting.log.indexOf('syncFolder log', entry);
    expect(durable).toBeGreaterThan(entry);
    expect(at(`remove keys/${old}`)).toBeGreaterThan(durable);
    expect(at('syncFolder keys')).toBeGreaterThan(at(`remove keys/${old}`));
  });

  it.each([
    ['with a bit flipped', (bytes: Uint8Array) => bytes.fill(bytes[150]! ^ 1, 150, 151)],
    ['as another slot', (_: Uint8Array, old: Uint8Array) => old],
    ['empty', () => new Uint8Array(0)],
  ] as const)('that comes back %s is never listed', async (_, hurt) => {
    const store = await storeOf(one);
    const [old] = (await namesIn(store)) as [string];
    let reads = 0;
    const lying: Store = {
      ...store,
      get: async (path) => {
        const bytes = await store.get(path);
        const isNew = path.startsWith('keys/') && path !== `keys/${old}`;
        return isNew && reads++ === 0 ? hurt(bytes, await store.get(`keys/${old}`)) : bytes;
      },
    };
    await expect(change(await open(lying))).rejects.toMatchObject({ name: 'VhdvaultError' });
    expect((await open(store)).state.sequence).toBe(1);
    expect(await namesIn(store)).toEqual([old]);
  });

  it.each([
    ['before it is opened again', 'syncFolder keys', 'NOT_FOUND'],
    ['before the log lists it', 'syncFolder log', 'IO'],
    ['when the log lists it', 'link log', 'changed'],
  ])('that somebody takes away %s is not listed, or comes back', async (_, moment, outcome) => {
    const store = await storeOf(one);
    const [old] = await namesIn(store);
    const tidy = async (what: string): Promise<void> => {
      if (!what.startsWith(moment)) return;
      for (const name of await namesIn(store)) if (name !== old) await store.remove(`keys/${name}`);
    };
    const hurt: Store = {
      ...store,
      syncFolder: (path) => tidy(`syncFolder ${path}`),
      async link(from, to) {
        await tidy(`link ${to}`);
        return await store.link(from, to);
      },
    };
    const ended = await change(await open(hurt)).then(
      () => 'changed',
      (error: { code: string }) => error.code,
    );
    expect(ended).toBe(outcome);
    const isChanged = outcome === 'changed';
    expect([await opens(store, PASSPHRASE), await opens(store, NEW)]).toEqual([!isChanged, isChanged]);
  });
});

describe('where the log is damaged', () => {
  it('whoever has a slot reads, also one that only the damaged entry lists, and nobody changes a slot', async () => {
    const store = await storeOf(two);
    const entry = 'log/00000000000000000002';
    await putFile(store, entry, (await store.get(entry)).fill(0, 200));
    for (const secret of [PASSPHRASE, FILE]) {
      const vault = await open(store, secret);
      expect(vault.damage).toEqual(code('VAULT_DAMAGED'));
      const { slots, unlisted } = await listSlots(vault);
      expect([slots.length, unlisted.length]).toEqual([1, 1]);
      const deeds = [
        () => addSlot(vault, { secret: NEW, kdf }),
        () => change(vault, NEW, secret),
        () => removeSlot(vault, vault.slot!),
        () => removeSlot(vault, unlisted[0]!),
        () => vault.commit(() => ({ type: 'pin', point: '0'.repeat(16), until: 0 })),
      ];
      for (const deed of deeds) await expect(deed()).rejects.toEqual(code('VAULT_DAMAGED'));
    }
    expect(await namesIn(store)).toHaveLength(2);
  });
});

it('a vault that is not encrypted has no slots', async () => {
  const store = openStore({ kind: 'memory', name: 'key-slots-clear' });
  await createVault(store, { reserve: 0 });
  const vault = await openVault(store);
  const refused = { code: 'VAULT_KEY_REFUSED', message: expect.stringContaining('not encrypted') };
  await expect(listSlots(vault)).rejects.toMatchObject(refused);
  await expect(addSlot(vault, { secret: NEW, kdf })).rejects.toMatchObject(refused);
  await expect(change(vault)).rejects.toMatchObject(refused);
  await expect(removeSlot(vault, '0')).rejects.toMatchObject(refused);
});

/** What is done to a vault with two slots; who must be able to open it after any failure, and who after success. */
interface Deed {
  name: string;
  act: (vault: Vault) => Promise<unknown>;
  /** At least one of them opens it, whatever happens. */
  either: SecretBytes[];
  /** Opens it always. */
  always: SecretBytes[];
  done: { opens: SecretBytes[]; refused: SecretBytes[] };
}

const deeds: Deed[] = [
  {
    name: 'adding',
    act: (vault) => addSlot(vault, { secret: NEW, kdf }),
    either: [PASSPHRASE],
    always: [PASSPHRASE, FILE],
    done: { opens: [PASSPHRASE, FILE, NEW], refused: [] },
  },
  {
    name: 'changing',
    act: (vault) => change(vault),
    either: [PASSPHRASE, NEW],
    always: [FILE],
    done: { opens: [FILE, NEW], refused: [PASSPHRASE] },
  },
  {
    name: 'removing',
    act: (vault) => removeSlot(vault, 'cron'),
    either: [PASSPHRASE],
    always: [PASSPHRASE],
    done: { opens: [PASSPHRASE], refused: [FILE] },
  },
];

describe.each(deeds)('$name a slot', ({ act, either, always, done }) => {
  it.each(['one', 'late', 'dead'] as FaultMode[])(
    'fails at any operation (%s) so that the old or the new secret opens the vault, and can be done again',
    async (mode) => {
      const counting = storeFaults(0, mode);
      await open(counting.wrap(await storeOf(two)));
      const opening = counting.count;
      let hits = 0;
      for (let k = opening + 1; ; k++) {
        const store = await storeOf(two);
        const faults = storeFaults(k, mode);
        const vault = await open(faults.wrap(store));
        const ended = await act(vault).then(
          () => 'done',
          (error: { name: string; code: string }) => (error.name === 'VhdvaultError' ? error.code : `untyped ${error}`),
        );
        expect(ended, faults.what).toMatch(/^(done|IO|OUTCOME_UNKNOWN|VAULT_KEY_REFUSED)$/);
        for (const secret of always) expect(await opens(store, secret), faults.what).toBe(true);
        const way = (await opens(store, either[0]!)) ? either[0]! : either[1]!;
        if (ended === 'done') {
          for (const secret of done.opens) expect(await opens(store, secret), faults.what).toBe(true);
          for (const secret of done.refused) expect(await opens(store, secret), faults.what).toBe(false);
        }
        await addSlot(await open(store, way), { secret: { passphrase: 'afterwards' }, kdf });
        if (!faults.hit) break;
        hits++;
      }
      expect(hits).toBeGreaterThan(10);
    },
  );
});
