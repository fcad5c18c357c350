import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { scrub } from '../../src/jobs/scrub-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { vaultRepairText } from '../../src/report/vault-repair-text.ts';
import { createStaging } from '../../src/staging/staging-location.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/vault/log/checkpoint.ts';
import { sealLock } from '../../src/vault/sealed-file.ts';
import type { VaultState } from '../../src/vault/vault.ts';
import { plain } from '../report/results.ts';
import { putFile, readAll } from '../support/copied-store.ts';
import { diseasesOf } from '../support/every-damage.ts';
import { hurt } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const NAME = 'ab'.repeat(32);
let bench: VaultBench;
let files: Map<string, Uint8Array>;

async function makeVault(where: 'memory' | 'folder' = 'memory'): Promise<VaultBench> {
  const made = await openBench(folder.fresh('files'), { where, inThread: true });
  await mkdir(made.folder, { recursive: true });
  await made.backup('web01', [await rawDisk(join(made.folder, 'disk'), noise(4 * BLOCK, 1))]);
  return made;
}

beforeAll(async () => {
  bench = await makeVault();
  files = await readAll(bench.store);
});

/** What verify says of a file, or of none, in the place of one. */
async function findingsWith(path: string, bytes: Uint8Array | undefined): Promise<object[]> {
  const { store } = bench;
  if ((await store.size(path)) === undefined) await putFile(store, path, new Uint8Array(0));
  try {
    await using _ = await hurt(store, path, () => bytes);
    return (await bench.verify()).findings;
  } finally {
    if (!files.has(path)) await store.remove(path);
  }
}

describe('a file that does not belong to the vault', () => {
  it.each([
    ['notes.txt', 'STRANGER'],
    ['lost+found', 'STRANGER'],
    ['keys/readme', 'STRANGER'],
    ['log/1', 'STRANGER'],
    ['log/old', 'STRANGER'],
    ['ckpt/x', 'STRANGER'],
    [`packs/${NAME}`, 'STRANGER'],
    ['packs/zz/pack', 'STRANGER'],
    ['packs/ab/pack', 'STRANGER'],
    [`packs/cd/${NAME}`, 'STRANGER'],
    [`packs/ab/${NAME}`, 'STRANGER'],
    [`index/${NAME}`, 'STRANGER'],
    [`index/${NAME}.part`, 'STRANGER'],
    [`lists/${NAME}`, 'STRANGER'],
    ['lists/all', 'STRANGER'],
    ['locks/me', 'STRANGER'],
    ['quarantine/log-1', 'QUARANTINE', 'may be deleted'],
    ['staging/new-0123', 'STAGING'],
    ['staging/entry-01234567', 'STAGING'],
    ['staging/init/vault.json', 'STAGING'],
    [`locks/${'0'.repeat(32)}.0123abcd`, 'LOCK'],
    ['keys/0123456789abcdef', 'SLOT_UNLISTED', '`vhdvault key remove 0123456789abcdef`'],
  ])('%s is told as %s, and is no damage', async (path, code, cure = '') => {
    const [finding, ...more] = await findingsWith(path, Uint8Array.of(1));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ severity: 'info', code, points: [], ranges: [] });
    const { where, what, ...told } = finding as { where: string; what: string; cure: string };
    expect(told.cure).toContain(cure);
    // It may be a folder.
    if (code === 'STRANGER' && !path.includes(NAME)) expect(what).toMatch(/^1 name with no business in a vault: /);
    // A folder is told as one.
    expect(`${where} ${what}`).toContain(path.replace(/(init|zz)\/.*/, '$1'));
  });
});

describe('the reserve', () => {
  it('is compared with its formula, byte by byte; gc makes it anew', async () => {
    for (const { name, bytes } of diseasesOf(files.get('reserve')!)) {
      const findings = await findingsWith('reserve', bytes);
      expect(findings, name).toMatchObject([
        { severity: 'warning', code: 'RESERVE', where: 'reserve', cure: expect.stringContaining('vhdvault gc') },
      ]);
    }
  });
});

describe('a key slot', () => {
  it('that the log lists must be there with its bytes', async () => {
    const [path] = [...files.keys()].filter((name) => name.startsWith('keys/'));
    for (const { name, bytes } of diseasesOf(files.get(path!)!)) {
      // Opened before it was hurt: with no other slot nobody opens the vault any more.
      await using session = await bench.open();
      await using _ = await hurt(bench.store, path!, () => bytes);
      const { ok, findings } = await verify(session);
      expect(ok, name).toBe(false);
      expect(findings, name).toMatchObject([
        { severity: 'damage', code: 'SLOT', where: path, cure: expect.stringContaining('vhdvault key') },
      ]);
    }
  });
});

describe('a lock and a staging location', () => {
  it('of a run that lives, or was killed, are told with their item, or not at all', async () => {
    await using session = await bench.open();
    const { vault } = session;
    const lock = `locks/${vault.nameHash('item', 'web01')}`;
    await putFile(bench.store, lock, sealLock(vault, new TextEncoder().encode('{}')));
    expect((await verify(session)).findings).toEqual([]);
    await bench.store.remove(lock);
    const job = toHex(vault.random.bytes(16));
    const { folder: place } = await createStaging(vault, job, { item: 'web01', started: Date.UTC(2026, 0, 2) });
    expect((await verify(session)).findings).toMatchObject([
      { severity: 'info', code: 'STAGING', where: place, what: expect.stringMatching(/web01 .*2026-01-02T00:00/) },
    ]);
    const { folder: other } = await createStaging(vault, toHex(vault.random.bytes(16)), { item: 'web02', started: 1 });
    const neighbour = await bench.store.get(`${other}/journal`);
    await bench.store.removeFolder(other);
    for (const { name, bytes } of diseasesOf(await bench.store.get(`${place}/journal`), neighbour)) {
      await putFile(bench.store, `${place}/entry-0123abcd`, Uint8Array.of(1));
      await using _ = await hurt(bench.store, `${place}/journal`, () => bytes);
      const { findings } = await verify(session);
      expect(findings, name).toMatchObject([{ severity: 'info', code: 'STAGING', where: place }]);
      // It would be gone on with as the other's.
      expect(JSON.stringify(findings), name).not.toContain('web02');
    }
    await bench.store.removeFolder(place);
  });
});

describe('packs and segments that no entry adds', () => {
  it('are told by what the log says of the job that their header names', async () => {
    const made = await makeVault();
    const [, bytes] = [...(await readAll(made.store))].find(([path]) => path.startsWith('packs/'))!;
    await putFile(made.store, `packs/ab/${NAME}`, bytes);
    expect((await made.verify(true)).findings).toMatchObject([
      { severity: 'info', code: 'GARBAGE', what: expect.stringContaining(NAME), cure: expect.stringContaining('gc') },
    ]);
    // The job id in the header, in clear, of a job that is open.
    const open = Uint8Array.from(bytes);
    const job = '0f'.repeat(16);
    open.set(Buffer.from(job, 'hex'), 32);
    await putFile(made.store, `packs/ab/${NAME}`, open);
    await using session = await made.open();
    await session.vault.openJob(job, 'staging');
    expect((await verify(session)).findings).toMatchObject([{ severity: 'info', code: 'ORPHANS', cure: '' }]);
  });
});

describe('a checkpoint', () => {
  it('that cannot be read is passed over; one that tells of another log, or another state, is damage', async () => {
    const made = await makeVault();
    await using session = await made.open();
    const { vault } = session;
    while (vault.state.sequence < 34)
      await vault.commit(() => ({ type: 'setting', key: 'k', value: Uint8Array.of(vault.state.sequence) }));
    const [name] = await made.store.list('ckpt');
    const path = `ckpt/${name}`;
    const good = await made.store.get(path);
    expect((await made.verify()).findings).toEqual([]);
    for (const { name: disease, bytes } of diseasesOf(good)) {
      if (bytes === undefined) continue;
      await using _ = await hurt(made.store, path, () => bytes);
      const told = { severity: 'info', code: 'CHECKPOINT', where: path };
      expect((await made.verify()).findings, disease).toMatchObject([told]);
    }
    const state = decodeCheckpoint(vault.keys, good, Number(name));
    const others: [VaultState, string][] = [
      [{ ...state, head: new Uint8Array(32) }, 'the log was replaced'],
      [{ ...state, settings: new Map() }, 'tells of another state'],
    ];
    for (const [other, words] of others) {
      await using _ = await hurt(made.store, path, () => encodeCheckpoint(vault.keys, vault.random, other));
      expect((await verify(session)).findings[0], words).toMatchObject({
        ...{ severity: 'damage', code: 'CHECKPOINT', where: path, what: expect.stringContaining(words) },
      });
    }
    for (const entry of (await made.store.list('log')).filter((entry) => entry >= name!))
      await made.store.remove(`log/${entry}`);
    const { ok, findings } = await verify(session);
    expect(ok).toBe(false);
    expect(findings[0]).toMatchObject({ code: 'CHECKPOINT', where: path, what: expect.stringContaining('it was cut') });
  });
});

describe('folders', () => {
  it('that a copying tool left out, since they were empty, are told with the command that makes them', async () => {
    const made = await makeVault('folder');
    expect((await made.verify()).findings).toEqual([]);
    await rm(join(made.address, 'lists'), { recursive: true });
    const empty = await packFolder(made, (packs) => packs === 0);
    await rm(join(made.address, empty), { recursive: true });
    expect((await made.verify()).findings).toMatchObject([
      {
        severity: 'warning',
        code: 'FOLDER',
        what: expect.stringContaining(`(lists, ${empty})`),
        cure: '`vhdvault repair` makes them',
      },
    ]);
  });
});

describe('a copy of a vault without its empty folders', () => {
  it('is told to whoever writes to it, with the cure, and repair makes them, told as one', async () => {
    const made = await makeVault('folder');
    const { address } = made;
    const empty = ['ckpt', 'lists', 'locks', 'staging', 'quarantine', await packFolder(made, (packs) => packs === 0)];
    for (const path of empty) await rm(join(address, path), { recursive: true });
    await expect(made.backup('web01', [])).rejects.toMatchObject({
      ...{ code: 'NOT_FOUND', message: expect.stringContaining(`the folder ${join(address, 'locks')} is missing`) },
      hint: 'a copy of a vault may lack the folders that were empty: `vhdvault repair` makes them',
    });
    await using session = await made.open();
    const repaired = await repairVault(session);
    expect(repaired).toMatchObject({ ok: true, warnings: [] });
    // The lock of the repair made its own.
    const folders = repaired.actions.map(({ action, where }) => `${action} ${where}`);
    expect(folders).toEqual(empty.filter((path) => path !== 'locks').map((path) => `make-folder ${path}`));
    expect(vaultRepairText(repaired, plain).split('\n')).toEqual([
      `  ckpt, lists, staging, quarantine, ${empty.at(-1)}`,
      '    the folders were missing',
      '1 action taken',
    ]);
    expect((await verify(session)).findings).toEqual([]);
    await made.backup('web01', []);
  });

  it('is not told as lacking a folder whose files are told as lost', async () => {
    for (const pathOf of [() => 'index', (made: VaultBench) => packFolder(made, (packs) => packs > 0)]) {
      const made = await makeVault('folder');
      await using session = await made.open();
      await rm(join(made.address, await pathOf(made)), { recursive: true });
      const { ok, findings } = await verify(session);
      expect([ok, findings.map(({ code }) => code)]).toEqual([false, expect.not.arrayContaining(['FOLDER'])]);
      expect(await repairVault(session)).toMatchObject({ ok: true });
    }
    const { address } = await makeVault('folder');
    await rm(join(address, 'keys'), { recursive: true });
    expect((await scrub(address)).findings).toMatchObject([{ code: 'SLOT', where: 'keys' }]);
  });

  it('with a link that leads nowhere in the place of a folder tells every writer so', async () => {
    const made = await makeVault('folder');
    const locks = join(made.address, 'locks');
    await rm(locks, { recursive: true });
    await symlink('nowhere', locks);
    const told = { message: expect.stringContaining(`${locks} is a symbolic link that leads nowhere`) };
    const hint = expect.stringContaining('or remove the link: then `vhdvault repair` makes the folder');
    await expect(made.backup('web01', [])).rejects.toMatchObject({ ...told, hint });
    await using session = await made.open();
    await expect(repairVault(session)).rejects.toMatchObject({ ...told, hint });
    await rm(locks);
    expect(await repairVault(session)).toMatchObject({ ok: true });
    await made.backup('web01', []);
  });
});

describe('in the place of a folder', () => {
  it.each([
    ['a link that leads nowhere', 'locks', (path: string) => symlink('nowhere', path), 'leads nowhere'],
    ['a file', 'staging', (path: string) => writeFile(path, ''), 'a file lies in its place'],
    ['a file', 'packs/00', (path: string) => writeFile(path, ''), 'a file lies in its place'],
  ])('%s (%s) is told, with the way to have the folder again', async (_, path, make, words) => {
    const made = await makeVault('folder');
    await using session = await made.open();
    await rm(join(made.address, path), { recursive: true });
    await make(join(made.address, path));
    const { findings } = await verify(session);
    const [what, cure] = [
      expect.stringContaining(words),
      expect.stringContaining('`vhdvault repair` makes the folder'),
    ];
    expect(findings).toMatchObject([{ severity: 'damage', code: 'FOLDER', where: path, what, cure }]);
  });
});

async function packFolder({ store }: VaultBench, fits: (packs: number) => boolean): Promise<string> {
  for (const name of await store.list('packs'))
    if (fits((await store.list(`packs/${name}`)).length)) return `packs/${name}`;
  throw new Error('there is no such folder');
}
