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

it('a run that was taken for dead cannot take the location of another one, journal and all', async () => {
  const vault = await newVault();
  const { store } = vault;
  let goOn: () => void = () => undefined;
  const stopped = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  // Stopped where its own journal is written, before it renames.
  const slow = await openVault(
    { ...store, rename: (from, to) => stopped.then(() => store.rename(from, to)) },
    { secret: PASSPHRASE },
  );
  const late = createStaging(slow, job(1), record);
  while ((await store.list('staging')).length === 0) await new Promise(setImmediate);
  let made: Promise<unknown> | undefined;
  const other = {
    ...store,
    // The other one wakes up when this one has its journal, and no name yet.
    async rename(from: string, to: string) {
      goOn();
      made = late.catch(() => undefined);
      await made;
      await store.rename(from, to);
    },
  };
  const own = await createStaging(await openVault(other, { secret: PASSPHRASE }), job(2), record);
  expect(made).toBeDefined();
  await expect(late).rejects.toMatchObject({ code: 'ITEM_LOCKED' });
  expect(await store.list('staging')).toEqual([`AzureBackup-${job(2)}`]);
  expect((await findLeftovers(vault, 'web01')).map((left) => left.job)).toEqual([own.job]);
});
