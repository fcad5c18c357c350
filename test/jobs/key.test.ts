import { writeFile } from 'node:fs/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { addKey, changeKey, listKeys, removeKey } from '../../src/jobs/key-job.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { putFile, readAll, storeOf } from '../support/copied-store.ts';
import { PASSPHRASE } from '../support/fixed-parts.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench, rawDisk, text, type VaultBench } from '../support/vault-bench.ts';

const temp = tempFolder({ inMemory: true });
const NEW = { passphrase: 'a new one' };
let bench: VaultBench;
let keyFile = '';

beforeEach(async () => {
  bench = await openBench(temp.fresh('bench'));
  keyFile = temp.fresh('key');
  await writeFile(keyFile, Buffer.alloc(32, 7));
});

async function within<T>(work: (session: VaultSession) => Promise<T>, options: SessionOptions = {}): Promise<T> {
  await using session = await bench.open(options);
  return await work(session);
}
const opens = (options: SessionOptions): Promise<string> =>
  within(async () => 'opened', options).catch((error: { code: string }) => error.code);
const byFile = (): SessionOptions => ({ passphrase: undefined, keyFile });
const memoryName = (): string => (bench.storeAddress as { name: string }).name;

describe('the keys of a vault', () => {
  it('are listed with what opens them, since when, whose they are, and which one was used', async () => {
    const added = await within((session) => addKey(session, { keyFile, label: 'cron' }));
    expect(added).toMatchObject({
      added: expect.stringMatching(/^[0-9a-f]{16}$/),
      removed: [],
      warnings: [],
      notices: [],
    });
    const { slots, unlisted, warnings } = await within((session) => listKeys(session), byFile());
    expect({ unlisted, warnings }).toEqual({ unlisted: [], warnings: [] });
    expect(slots).toEqual([
      { ...slots[0], kind: 'passphrase', label: '', opened: false, file: 'there' },
      { ...slots[1], name: added.added, kind: 'key-file', label: 'cron', opened: true, file: 'there' },
    ]);
    for (const { added: since } of slots) expect(since).toMatch(/^2026-01-01T00:0\d:\d\d\.000Z$/);
  });

  it('are changed: the old secret is refused here, and on a machine that knows the vault by it', async () => {
    const elsewhere = { cache: temp.fresh('cache'), state: temp.fresh('state') };
    const disk = await rawDisk(temp.fresh('disk'), text(64 * 1024, 1));
    await bench.backup('item', [disk]);
    expect(await opens(elsewhere)).toBe('opened');
    const { removed } = await within((session) => changeKey(session, NEW));
    expect(removed).toHaveLength(1);
    for (const machine of [{}, elsewhere, { cache: temp.fresh('cache'), state: temp.fresh('state') }]) {
      expect(await opens(machine)).toBe('VAULT_KEY_WRONG');
      expect(await opens({ ...machine, ...NEW })).toBe('opened');
    }
  });

  it('go on being changed in one session, which goes on with the newest', async () => {
    await within(async (session) => {
      await changeKey(session, NEW);
      await changeKey(session, { keyFile });
      expect((await listKeys(session)).slots).toMatchObject([{ kind: 'key-file', opened: true }]);
    });
    expect([await opens({}), await opens(NEW), await opens(byFile())]).toEqual([
      'VAULT_KEY_WRONG',
      'VAULT_KEY_WRONG',
      'opened',
    ]);
  });

  it('are changed wherever the old secret has a slot, also one that the session itself made', async () => {
    await within((session) => addKey(session, { ...PASSPHRASE, label: 'twice' }));
    await within(async (session) => {
      expect((await changeKey(session, NEW)).removed).toHaveLength(2);
      await addKey(session, { ...NEW, label: 'again' });
      expect((await changeKey(session, { keyFile })).removed).toHaveLength(2);
    });
    expect([await opens({}), await opens(NEW), await opens(byFile())]).toEqual([
      'VAULT_KEY_WRONG',
      'VAULT_KEY_WRONG',
      'opened',
    ]);
  });

  it('are not brought back by an older copy of the vault on a machine that saw the change', async () => {
    const before = await readAll(bench.store);
    await within((session) => changeKey(session, NEW));
    await storeOf(before, memoryName());
    expect(await opens({})).toBe('VAULT_ROLLED_BACK');
    expect(await opens(NEW)).toBe('VAULT_KEY_WRONG');
    // Who never saw the vault has nothing to compare with.
    expect(await opens({ state: temp.fresh('state') })).toBe('opened');
  });

  it('are told of when something is wrong with their files', async () => {
    await within((session) => addKey(session, { keyFile, label: 'cron' }));
    const [, cron] = (await within((session) => listKeys(session))).slots;
    const path = `keys/${cron!.name}`;
    const bytes = await bench.store.get(path);
    for (const [hurt, file] of [
      [undefined, 'missing'],
      [bytes.fill(0, 100), 'changed'],
    ] as const) {
      await bench.store.remove(path);
      if (hurt) await putFile(bench.store, path, hurt);
      const { slots, warnings } = await within((session) => listKeys(session));
      expect(slots[1]).toMatchObject({ file, kind: 'key-file' });
      expect(warnings).toEqual([expect.stringContaining(path)]);
    }
    const stranger = '0'.repeat(16);
    await putFile(bench.store, `keys/${stranger}`, bytes);
    const { warnings, unlisted } = await within((session) => listKeys(session));
    expect(unlisted).toEqual([stranger]);
    expect(warnings[1]).toContain(`vhdvault key remove ${stranger}`);
    const done = await within((session) => removeKey(session, stranger));
    expect(done).toMatchObject({ removed: [stranger], unlisted: [] });
  });
});

describe('a change of keys', () => {
  it('tells what it means for whoever has the old ones', async () => {
    await within((session) => addKey(session, { keyFile, label: 'cron' }));
    const twice = await within((session) => addKey(session, { ...PASSPHRASE, label: 'twice' }));
    expect(twice.notices).toEqual([expect.stringContaining('is opened by the same secret')]);
    const [own] = (await within((session) => listKeys(session))).slots.filter(({ opened }) => opened);
    const first = await within((session) => removeKey(session, own!.name));
    expect(first.notices).toEqual([
      expect.stringContaining('goes on opening the vault'),
      expect.stringContaining('master key'),
    ]);
    const second = await within((session) => changeKey(session, PASSPHRASE));
    expect(second.notices[0]).toBe('the new secret is the same as the old one');
    await expect(within((session) => removeKey(session, second.added!))).rejects.toMatchObject({
      code: 'VAULT_KEY_REFUSED',
      message: expect.stringContaining('opened the vault now'),
    });
    const third = await within((session) => removeKey(session, second.added!, { force: true }));
    expect(third.notices[0]).toContain('opens it no more');
    expect([await opens({}), await opens(byFile())]).toEqual(['VAULT_KEY_WRONG', 'opened']);
  });

  it('is done though the old file cannot be removed, and that is told', async () => {
    wrapMemoryStore(memoryName(), (store) => ({
      ...store,
      remove: async (path) => {
        if (path.startsWith('keys/')) throw new VhdvaultError('NO_PERMISSION', 'not allowed');
        await store.remove(path);
      },
    }));
    const { removed, warnings, unlisted } = await within((session) => changeKey(session, NEW));
    expect(unlisted).toEqual(removed);
    expect(warnings).toEqual([expect.stringContaining('could not be removed (not allowed)')]);
    expect([await opens({}), await opens(NEW)]).toEqual(['VAULT_KEY_WRONG', 'opened']);
  });

  it('is refused on a vault that cannot be written, which says so', async () => {
    await within((session) => addKey(session, { keyFile, label: 'cron' }));
    const before = await readAll(bench.store);
    const refuse = async (): Promise<never> => {
      throw new VhdvaultError('NO_PERMISSION', 'not allowed: EROFS', { details: { system: 'EROFS' } });
    };
    wrapMemoryStore(memoryName(), (store) => ({ ...store, create: refuse, remove: refuse, link: refuse }));
    for (const work of [
      (session: VaultSession) => addKey(session, NEW),
      (session: VaultSession) => changeKey(session, NEW),
      (session: VaultSession) => removeKey(session, 'cron'),
    ]) {
      await expect(within(work)).rejects.toMatchObject({ code: 'VAULT_READ_ONLY' });
    }
    expect((await within((session) => listKeys(session))).slots).toHaveLength(2);
    expect(await readAll(bench.store)).toEqual(before);
  });

  it('is refused without a secret, with two, and on a vault without encryption', async () => {
    const refused: [object, string][] = [
      [{}, 'VAULT_KEY_MISSING'],
      [{ ...NEW, keyFile }, 'USAGE'],
      [{ passphrase: '' }, 'VAULT_KEY_REFUSED'],
      [{ keyFile: `${keyFile}.gone` }, 'NOT_FOUND'],
    ];
    for (const [options, code] of refused) {
      await expect(within((session) => addKey(session, options))).rejects.toMatchObject({ code });
      await expect(within((session) => changeKey(session, options))).rejects.toMatchObject({ code });
    }
    await expect(within((session) => changeKey(session, { ...NEW, slot: '' }))).rejects.toMatchObject({
      code: 'NO_SUCH_SLOT',
    });
    bench = await openBench(temp.fresh('clear'), { encrypted: false });
    for (const work of [
      listKeys,
      (session: VaultSession) => addKey(session, NEW),
      (session: VaultSession) => changeKey(session, NEW),
    ])
      await expect(within((session) => work(session))).rejects.toMatchObject({ code: 'VAULT_KEY_REFUSED' });
  });

  it('where one writer is allowed at a time waits for none: it is refused while another writes', async () => {
    await within(async (session) => {
      const { lockItem } = await import('../../src/jobs/item-lock.ts');
      Object.assign(session.vault.config, { singleWriter: true });
      const lock = await lockItem(session.vault, 'item');
      await expect(removeKey(session, 'cron')).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
      await lock[Symbol.asyncDispose]();
      await expect(removeKey(session, 'cron')).rejects.toMatchObject({ code: 'NO_SUCH_SLOT' });
    });
  });

  it('keeps its new slot though another run takes that for a leftover, whoever is first', async () => {
    const [old] = await bench.store.list('keys');
    let isTaken = false;
    const take = async (): Promise<void> => {
      const fresh = (await bench.store.list('keys')).find((name) => name !== old) as string;
      wrapMemoryStore(memoryName(), (store) => store);
      await within((session) => removeKey(session, fresh));
      isTaken = true;
    };
    wrapMemoryStore(
      memoryName(),
      happensBefore((what) => what.startsWith('create staging/entry-'), take),
    );
    const { added, removed } = await within((session) => changeKey(session, NEW));
    expect({ isTaken, removed }).toEqual({ isTaken: true, removed: [old] });
    expect(await bench.store.list('keys')).toEqual([added]);
    expect(await opens(NEW)).toBe('opened');
  });

  it('gives a slot back that is listed in the moment in which it is taken for a leftover', async () => {
    const [old] = (await bench.store.list('keys')) as [string];
    const copy = await bench.store.get(`keys/${old}`);
    const stray = '0123456789abcdef';
    await putFile(bench.store, `keys/${stray}`, copy);
    const list = async (): Promise<void> => {
      wrapMemoryStore(memoryName(), (store) => store);
      await within(async ({ vault }) => {
        const slots = [...vault.state.slots, { ...vault.state.slots[0]!, name: stray }];
        await vault.commit(() => ({ type: 'key', slots }));
      });
    };
    wrapMemoryStore(
      memoryName(),
      happensBefore((what) => what.startsWith('rename quarantine/slot-'), list),
    );
    await expect(within((session) => removeKey(session, stray))).rejects.toMatchObject({ code: 'NO_SUCH_SLOT' });
    expect(await bench.store.list('keys')).toEqual([stray, old].sort());
  });

  it('is noticed where it was made with a doubted clock, and the doubt stays', async () => {
    const before = await readAll(bench.store);
    const wrong = { now: () => Date.UTC(2026, 0, 9), monotonic: () => 0, sleep: async () => undefined };
    await within((session) => changeKey(session, NEW), { parts: { clock: wrong } });
    await within(async ({ clockDoubt }) => expect(clockDoubt).toBeDefined(), { ...NEW, parts: { clock: wrong } });
    await storeOf(before, memoryName());
    expect(await opens({})).toBe('VAULT_ROLLED_BACK');
  });
});
