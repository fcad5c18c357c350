import { statSync } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  createVault as createSessionVault,
  openVault as openSession,
  type SessionOptions,
} from '../../src/jobs/session.ts';
import { createStaging, findLeftovers, removeStaging } from '../../src/staging/staging-location.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openFolderStore } from '../../src/vault/store/folder-store.ts';
import { openVault, type Vault } from '../../src/vault/vault.ts';
import { CHEAP_KDF } from '../support/fixed-parts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';

const folder = tempFolder();
const record = { item: 'web01', started: 1 };
const job = (n: number): string => `${n}`.padStart(32, '0');

async function newVault(): Promise<string> {
  const path = folder.fresh('vault');
  await mkdir(path);
  await createVault(openFolderStore(path), { reserve: 0 });
  return path;
}
const open = (path: string, staging?: string): Promise<Vault> => openVault(openFolderStore(path, staging));

describe('a staging location elsewhere', () => {
  it('is found again by the next run of its item', async () => {
    const [path, elsewhere] = [await newVault(), folder.fresh('elsewhere')];
    await createStaging(await open(path, elsewhere), job(1), record);
    const vault = await open(path, elsewhere);
    const left = await findLeftovers(vault, 'web01');
    expect(left.map((location) => location.job)).toEqual([job(1)]);
    for (const location of left) await removeStaging(location);
    expect(await readdir(elsewhere)).toEqual([]);
  });

  it("does not hide one in the vault's own folder", async () => {
    const [path, elsewhere] = [await newVault(), folder.fresh('elsewhere')];
    await createStaging(await open(path), job(1), record);
    const vault = await open(path, elsewhere);
    await createStaging(vault, job(2), record);
    const left = await findLeftovers(vault, 'web01');
    expect(left.map((location) => location.job).sort()).toEqual([job(1), job(2)]);
    for (const location of left) await removeStaging(location);
    expect([await readdir(elsewhere), await readdir(join(path, 'staging'))]).toEqual([[], []]);
  });

  it("that is the vault's own folder is looked at once", async () => {
    const path = await newVault();
    const vault = await open(path, join(path, 'staging'));
    await createStaging(vault, job(1), record);
    expect(await findLeftovers(vault, 'web01')).toHaveLength(1);
  });
});

describe('a strange staging location', () => {
  it.each([
    ['without a journal', async () => undefined],
    ['whose journal is torn', (path: string) => writeFile(join(path, 'journal'), 'x')],
    ['whose journal is a folder', (path: string) => mkdir(join(path, 'journal'))],
    [
      'of a later version',
      (path: string) =>
        writeFile(join(path, 'journal'), Buffer.concat([Buffer.from('VHDVAULT\x07\x00'), Buffer.alloc(200)])),
    ],
  ])('%s is left alone and stops nobody', async (_, make) => {
    const path = await newVault();
    const strange = join(path, 'staging', `AzureBackup-${job(9)}`);
    await mkdir(strange);
    await make(strange);
    const vault = await open(path);
    await createStaging(vault, job(1), record);
    expect((await findLeftovers(vault, 'web01')).map((location) => location.job)).toEqual([job(1)]);
    expect((await readdir(join(path, 'staging'))).sort()).toEqual([`AzureBackup-${job(1)}`, `AzureBackup-${job(9)}`]);
  });
});

describe('a vault that is made', () => {
  const options = (): SessionOptions & { unencrypted: boolean } => ({
    ...{ cache: folder.fresh('cache'), state: folder.fresh('state'), threads: 1, unencrypted: true },
    parts: { kdf: CHEAP_KDF, reserve: 0 },
  });

  it('is for its owner alone, unless its folder was there', async () => {
    const [fresh, there] = [join(folder.fresh('above'), 'vault'), folder.fresh('there')];
    await mkdir(there, { mode: 0o755 });
    for (const path of [fresh, there]) await createSessionVault(path, options());
    expect((await stat(fresh)).mode & 0o777).toBe(0o700);
    expect((await stat(there)).mode & 0o777).toBe(0o755);
  });

  it('leaves what lies in a staging folder elsewhere alone, and makes that folder', async () => {
    const [path, elsewhere] = [folder.fresh('vault'), folder.fresh('elsewhere')];
    await mkdir(join(elsewhere, 'precious'), { recursive: true });
    const common = options();
    await createSessionVault(path, { ...common, staging: elsewhere });
    expect(await readdir(elsewhere)).toEqual(['precious']);
    const other = join(folder.fresh('new'), 'staging');
    await using session = await openSession(path, { ...common, staging: other });
    expect(session.vault.store.address).toMatchObject({ staging: other });
    expect((await stat(other)).mode & 0o777).toBe(0o700);
  });

  const memory = statSync('/dev/shm', { throwIfNoEntry: false });
  describeWhere(
    memory !== undefined && memory.dev !== statSync(tmpdir()).dev,
    'there is no second file system',
    'with --staging',
    () => {
      const inMemory = tempFolder({ inMemory: true });
      it('on another file system is refused', async () => {
        const [path, staging] = [folder.fresh('vault'), inMemory.fresh('staging')];
        const common = options();
        const refused = { code: 'USAGE', hint: expect.stringContaining('leave --staging out') };
        await expect(createSessionVault(path, { ...common, staging })).rejects.toMatchObject(refused);
        expect(await readdir(path)).toEqual([]);
        await createSessionVault(path, common);
        await expect(openSession(path, { ...common, staging })).rejects.toMatchObject(refused);
      });
    },
  );
});
