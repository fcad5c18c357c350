import { execFileSync } from 'node:child_process';
import { mkdir, open, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { openSegment } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { readCapturedPack } from '../../src/vault/captured-pack.ts';
import { newObject } from '../../src/vault/crypto/keys.ts';
import { openFolderStore } from '../../src/vault/store/folder-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { fixedRandom } from '../support/fixed-parts.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;
let root = '';
let store: Store;

beforeEach(async () => {
  root = temp.fresh('store');
  for (const folder of ['keys', 'log', 'ckpt', 'locks', 'packs', 'index', 'lists'])
    await mkdir(join(root, folder), { recursive: true });
  store = openFolderStore(root);
});

async function huge(path: string): Promise<void> {
  await using file = await open(path, 'w');
  await file.truncate(2 ** 40);
}

const strange: [string, (path: string) => unknown][] = [
  ['a pipe', (path) => execFileSync('mkfifo', [path])],
  ['a link to what never ends', (path) => symlink('/dev/zero', path)],
  ['a folder', (path) => mkdir(path)],
];

describe('in the place of an object', () => {
  it.each(strange)('%s is there and has no bytes, and nobody waits for any', async (_, make) => {
    for (const path of ['vault.json', 'log/1', 'packs/x']) {
      await make(join(root, path));
      expect(await store.size(path)).toBe(0);
      expect(await store.get(path)).toHaveLength(0);
      await using reader = await store.open(path);
      expect(reader.size).toBe(0);
    }
  });

  it('a link that leads to itself is an error with a type', async () => {
    await symlink('1', join(root, 'log/1'));
    for (const work of [() => store.get('log/1'), () => store.open('log/1'), () => store.size('log/1')])
      await expect(work()).rejects.toMatchObject({ code: 'IO', details: { system: 'ELOOP' } });
  });

  it.each([
    ['vault.json', 64 * 1024],
    ['keys/0', 4 * 1024],
    ['log/1', MIB],
    ['locks/0', 64 * 1024],
    ['ckpt/1', 128 * MIB],
    ['packs/x', 128 * MIB],
    ['index/x', 128 * MIB],
    ['lists/x', 128 * MIB],
  ])('a file of 1 TiB (%s) is read no further than any object goes', async (path, most) => {
    await huge(join(root, path));
    expect(await store.size(path)).toBe(2 ** 40);
    expect(await store.get(path)).toHaveLength(most + 1);
  });
});

it('an object as long as it may be is read whole, and so is an empty one', async () => {
  await writeFile(join(root, 'log/1'), Buffer.alloc(MIB, 7));
  await writeFile(join(root, 'log/2'), '');
  expect(Buffer.compare(await store.get('log/1'), Buffer.alloc(MIB, 7))).toBe(0);
  expect(await store.get('log/2')).toHaveLength(0);
  await expect(store.get('log/3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await expect(store.open('log/3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

describe('a file that is longer than its kind may be', () => {
  const keys = { family: new Uint8Array(16), master: new Uint8Array(32), encrypted: true };
  const job = new Uint8Array(16).fill(7);
  const lengthen = async (path: string, kind: 'pack' | 'segment'): Promise<void> => {
    await mkdir(join(root, path, '..'), { recursive: true });
    await writeFile(join(root, path), newObject(keys, fixedRandom(), kind, job).header);
    await truncate(join(root, path), 2 ** 40);
  };

  it('is not read to its end as a pack of an interrupted run', async () => {
    const name = 'ab'.repeat(32);
    await lengthen(packPath(name), 'pack');
    expect(await readCapturedPack({ store, keys, job: toHex(job), name })).toBeUndefined();
  });

  it('is no segment', async () => {
    await lengthen('index/x', 'segment');
    const message = expect.stringContaining('longer than any segment');
    await expect(openSegment(store, keys, 'index/x')).rejects.toMatchObject({ code: 'VAULT_DAMAGED', message });
  });
});
