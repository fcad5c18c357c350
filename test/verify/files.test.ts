import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { createStaging } from '../../src/staging/staging-location.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/vault/log/checkpoint.ts';
import { sealLock } from '../../src/vault/sealed-file.ts';
import type { VaultState } from '../../src/vault/vault.ts';
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
    ['quarantine/log-1', 'QUARANTINE'],
    ['staging/new-0123', 'STAGING'],
    ['staging/entry-01234567', 'STAGING'],
    ['staging/init/vault.json', 'STAGING'],
    [`locks/${'0'.repeat(32)}.0123abcd`, 'LOCK'],
    ['keys/0123456789abcdef', 'SLOT_UNLISTED'],
  ])('%s is told as %s, and is no damage', async (path, code) => {
    const [finding, ...more] = await findingsWith(path, Uint8Array.of(1));
    expect(more).toEqual([]);
    expect(finding).toMatchObject({ severity: 'info', code, points: [], ranges: [] });
    const { where, what } = finding as { where: string; what: string };
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
    const empty = await emptyPackFolder(made);
    await rm(join(made.address, empty), { recursive: true });
    expect((await made.verify()).findings).toMatchObject([
      { severity: 'warning', code: 'FOLDER', cure: expect.stringContaining(`mkdir -p lists ${empty}`) },
    ]);
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
    const [what, cure] = [expect.stringContaining(words), expect.stringContaining(`mkdir ${path}`)];
    expect(findings).toMatchObject([{ severity: 'damage', code: 'FOLDER', where: path, what, cure }]);
  });
});

async function emptyPackFolder({ store }: VaultBench): Promise<string> {
  for (const name of await store.list('packs'))
    if ((await store.list(`packs/${name}`)).length === 0) return `packs/${name}`;
  throw new Error('every folder has a pack');
}
