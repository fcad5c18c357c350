import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { LocationTable } from '../../src/cache/location-table.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { createBlockHasher } from '../../src/vault/block-ids.ts';
import { segmentPath, writeSegment } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { PackWriter } from '../../src/vault/pack/pack-writer.ts';
import type { Vault } from '../../src/vault/vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

/*
 * What nobody can be kept from: who holds the key can store one block under the id of another, and who can forge the cache
 * can tell of a block that is not there. A point then lacks a block: it fails loudly, and verify tells before that.
 */
const temp = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const BLOCKS = 3;
let bench: VaultBench;

beforeEach(async () => {
  bench = await openBench(temp.fresh('planted'));
  await mkdir(bench.folder, { recursive: true });
});

const bytesOf = (seed: number): Uint8Array => noise(BLOCKS * BLOCK, seed);
const save = async (seed: number): Promise<string> => {
  const disk = await rawDisk(join(bench.folder, 'disk'), bytesOf(seed));
  return (await bench.backup('item', [disk])).point;
};
const idOf = ({ keys }: Vault): Uint8Array => createBlockHasher(keys).data(bytesOf(2).subarray(0, BLOCK));

async function expectLost(point: string): Promise<void> {
  await expect(bench.restored(`item@${point}`)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  await using session = await bench.open();
  const { ok, findings } = await verify(session, { readData: true });
  expect(ok).toBe(false);
  const hit = findings.filter(({ severity }) => severity === 'damage').flatMap(({ points }) => points);
  expect([...new Set(hit)]).toEqual([`item@${point}`]);
}

describe('a point relies', () => {
  it('on a block that somebody with the key stored under its id, and fails loudly', async () => {
    const first = await save(1);
    {
      await using session = await bench.open();
      await plant(session.vault, noise(BLOCK, 99));
    }
    await expectLost(await save(2));
    expect(Buffer.compare(await bench.restored(`item@${first}`), bytesOf(1))).toBe(0);
  });

  it('on a row that somebody put into the cache, and fails loudly', async () => {
    await save(1);
    {
      await using session = await bench.open();
      using table = new LocationTable(join(session.cache, 'index.sqlite'));
      const pack = table.addPack({ name: toHex(new Uint8Array(32).fill(7)), size: 1000, frames: 1 });
      const place = { offset: 96, storedLength: 16_400, ordinal: 0, codec: 0, kind: 0 };
      table.transaction(() => table.addBlocks([{ id: idOf(session.vault), pack, ...place }]));
    }
    await expectLost(await save(2));
  });
});

/** Stores `bytes` under the id of another block, as only a changed program would. */
async function plant(vault: Vault, bytes: Uint8Array): Promise<void> {
  const { store, keys, random } = vault;
  const job = toHex(random.bytes(16));
  await vault.openJob(job, 'staging', 'repack');
  const options = { store, keys, random, job: fromHex(job), codec: 'none', readBack: 'none' } as const;
  const writer = new PackWriter(options, 'staging/planted');
  await writer.append('data', idOf(vault), bytes);
  const { name, size, path, entries } = await writer.finish();
  await store.rename(path, packPath(name));
  const rows = entries.map((entry, ordinal) => ({ ...entry, pack: 0, ordinal }));
  const segment = await writeSegment({
    ...{ store, keys, random, job: fromHex(job), path: 'staging/planted' },
    ...{ packs: [{ name, size, frames: 1 }], entries: rows },
  });
  await store.rename('staging/planted', segmentPath(segment.name));
  const adds = [{ segment: segment.name, size: segment.size, packs: 1, bytes: size }];
  await vault.commit(() => ({ type: 'repack', adds, packs: [] }), { job });
}
