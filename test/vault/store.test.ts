import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openFolderStore } from '../../src/vault/store/folder-store.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import { storeSuite } from '../support/store-suite.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder();
let count = 0;

storeSuite('a folder', async () => {
  const path = folder.fresh('store');
  await mkdir(path);
  return openFolderStore(path);
});
storeSuite('memory', async () => openMemoryStore(`store-suite-${count++}`));

it('a folder store puts staging locations, and only these, where it is told', async () => {
  const [root, elsewhere] = [folder.fresh('store'), folder.fresh('staging')];
  await mkdir(join(root, 'staging'), { recursive: true });
  const store = openFolderStore(root, elsewhere);
  await store.makeFolder('staging/job');
  await store.makeFolder('packs');
  await store.create('staging/job/part').then((file) => file[Symbol.asyncDispose]());
  await store.rename('staging/job/part', 'packs/part');
  expect(await readdir(elsewhere)).toEqual(['job']);
  expect(await readdir(join(root, 'packs'))).toEqual(['part']);
});
