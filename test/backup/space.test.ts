import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const SIZE = 16 * MIB;

/** From now on the vault has so many bytes of room, as far as anybody asks. */
function leave({ storeAddress }: VaultBench, bytes: number): void {
  if (storeAddress.kind !== 'memory') throw new Error('only a memory store can be wrapped');
  wrapMemoryStore(storeAddress.name, (store) => ({ ...store, free: async () => bytes }));
}

it('a backup warns where a first point, or half as much again as the last run stored, may not fit', async () => {
  const bench = await openBench(folder.fresh('room'), { threads: 1 });
  await mkdir(bench.folder, { recursive: true });
  const save = async (bytes: Uint8Array): Promise<string[]> =>
    (await bench.backup('web', [await rawDisk(join(bench.folder, 'web'), bytes)])).warnings;
  const disk = noise(SIZE, 1);
  leave(bench, SIZE - MIB);
  expect(await save(disk)).toEqual([
    'the disks hold up to 16 MiB and the vault has 15 MiB free: the point may not fit. Free some space, or `vhdvault forget` old points and run `vhdvault gc`',
  ]);
  // What the full one stored tells nothing of this one.
  disk.set(noise(SIZE / 2, 2));
  leave(bench, 10 * MIB);
  expect(await save(disk)).toEqual([]);
  leave(bench, 13 * MIB);
  disk.set(noise(SIZE / 2, 3));
  expect(await save(disk)).toEqual([]);
  leave(bench, 11 * MIB);
  expect(await save(disk)).toEqual([
    expect.stringMatching(/^the last run stored 9 MiB .* 11 MiB free: the point may not/),
  ]);
  expect(await save(disk)).toEqual([]);
});
