import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  backup,
  listKeys,
  openPoint,
  openVault,
  points,
  repairVault,
  type SessionOptions,
  unforget,
  type VaultSession,
  verify,
} from '../../src/index.ts';
import { PACK_FOLDERS } from '../../src/vault/block-writer.ts';
import { FOLDERS } from '../../src/vault/create-vault.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Golden {
  ref: string;
  sha256: string;
}

const FIXTURE = join(import.meta.dirname, '../../fixtures/golden-vault');
const temp = tempFolder({ inMemory: true });
const { forgotten, live } = JSON.parse(await readFile(join(FIXTURE, 'expected.json'), 'utf8')) as {
  forgotten: Golden;
  live: Golden[];
};
let vault = '';

beforeAll(async () => {
  vault = temp.fresh('golden');
  await cp(join(FIXTURE, 'vault'), vault, { recursive: true });
});

function open(secret: SessionOptions = { passphrase: 'golden passphrase' }): Promise<VaultSession> {
  const [cache, state] = [temp.fresh('cache'), temp.fresh('state')];
  return openVault(vault, { ...secret, cache, state, threads: 1 });
}

async function hashOf(session: VaultSession, ref: string): Promise<string> {
  await using disk = await openPoint(session, ref);
  const bytes = new Uint8Array(disk.size);
  await disk.read(0, bytes);
  return createHash('sha256').update(bytes).digest('hex');
}

describe('the golden vault of this format', () => {
  it('opens by each of its keys, and all its points read as they were', async () => {
    for (const passphrase of ['golden passphrase', 'another passphrase']) {
      await using session = await open({ passphrase });
      const found = (await points(session)).points.map(({ item, point }) => `${item}@${point}`);
      expect(found).toEqual(live.map(({ ref }) => ref));
      for (const { ref, sha256 } of live) expect(await hashOf(session, ref)).toBe(sha256);
      expect((await listKeys(session)).slots).toHaveLength(2);
    }
  });

  it('has an object of each kind', async () => {
    await using session = await open();
    const { store, state } = session.vault;
    for (const folder of ['keys', 'log', 'ckpt', 'index']) expect(await store.list(folder)).not.toEqual([]);
    expect(state.sequence).toBeGreaterThan(32);
    expect([...state.points.values()].filter((point) => point.pinned)).toHaveLength(1);
  });

  it('is whole, can be made complete where a copy lost its empty folders, and goes on', async () => {
    await using session = await open();
    expect(await verify(session, { readData: true })).toMatchObject({ ok: true });
    const { store } = session.vault;
    const before = await filesIn(vault);
    const lost = await missingFolders(store);
    const { ok, actions, warnings } = await repairVault(session);
    expect({ ok, warnings }).toEqual({ ok: true, warnings: [] });
    // That of locks it makes for its own lock, before it looks.
    const told = lost.filter((path) => path !== 'locks');
    expect(actions.map(({ action, where }) => [action, where])).toEqual(told.map((path) => ['make-folder', path]));
    expect(lost).toContain('staging');
    expect([await filesIn(vault), await missingFolders(store)]).toEqual([before, []]);
    await unforget(session, [forgotten.ref]);
    expect(await hashOf(session, forgotten.ref)).toBe(forgotten.sha256);
    const disk = join(temp.fresh('disk'), 'disk.raw');
    await mkdir(join(disk, '..'), { recursive: true });
    await writeFile(disk, new Uint8Array(51_200).fill(7));
    const { point } = await backup(session, 'golden', [`disk=${disk}`]);
    expect(await hashOf(session, `golden@${point}`)).toBe(
      createHash('sha256').update(new Uint8Array(51_200).fill(7)).digest('hex'),
    );
    expect(await verify(session, { readData: true })).toMatchObject({ ok: true });
  });
});

/** Hashes, by path. */
async function filesIn(folder: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = found.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  const bytes = await Promise.all(paths.map((path) => readFile(path)));
  return paths.map((path, n) => `${path} ${createHash('sha256').update(bytes[n]!).digest('hex')}`).sort();
}

/** A repository has no empty folders. */
async function missingFolders(store: Store): Promise<string[]> {
  const paths = [...FOLDERS, ...PACK_FOLDERS.map((name) => `packs/${name}`)];
  const there = await Promise.all(paths.map((path) => store.kind(path)));
  return paths.filter((_, n) => there[n] === undefined);
}
