import { mkdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { createStaging, findLeftovers, removeStaging } from '../../src/staging/staging-location.ts';
import { createVault } from '../../src/vault/create-vault.ts';
import { openFolderStore } from '../../src/vault/store/folder-store.ts';
import { openVault, type Vault } from '../../src/vault/vault.ts';
import { CHEAP_KDF, PASSPHRASE } from '../support/fixed-parts.ts';
import { storeFaults } from '../support/store-faults.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const record = { item: 'web01', started: 1 };
const job = (n: number): string => `${n}`.padStart(32, '0');

async function newVault(): Promise<Vault> {
  const path = folder.fresh('vault');
  await mkdir(path);
  const store = openFolderStore(path);
  await createVault(store, { kdf: CHEAP_KDF, reserve: 0, secret: PASSPHRASE });
  return openVault(store, { secret: PASSPHRASE });
}

it('a staging location whose making dies at any operation is removed by the next run of its item', async () => {
  const opening = storeFaults(0, 'dead');
  await openVault(opening.wrap((await newVault()).store), { secret: PASSPHRASE });
  for (let k = opening.count + 1; ; k++) {
    const vault = await newVault();
    const faults = storeFaults(k, 'dead');
    const dying = await openVault(faults.wrap(vault.store), { secret: PASSPHRASE });
    await createStaging(dying, job(1), record).catch(() => undefined);
    const own = await createStaging(vault, job(2), record);
    for (const left of await findLeftovers(vault, 'web01')) if (left.job !== own.job) await removeStaging(left);
    expect(await vault.store.list('staging'), faults.what).toEqual([`AzureBackup-${job(2)}`]);
    if (!faults.hit) break;
  }
});

it('a staging location is found by its own item and by no other', async () => {
  const vault = await newVault();
  await createStaging(vault, job(1), record);
  await createStaging(vault, job(2), { ...record, item: 'db01' });
  expect((await findLeftovers(vault, 'web01')).map((left) => left.job)).toEqual([job(1)]);
  expect((await findLeftovers(vault, 'db01')).map((left) => left.job)).toEqual([job(2)]);
  expect(await findLeftovers(vault, 'other')).toEqual([]);
});
