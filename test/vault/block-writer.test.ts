import { expect, it } from 'vitest';
import { BlockWriter } from '../../src/vault/block-writer.ts';
import { openStore } from '../../src/vault/open-store.ts';
import { fixedRandom } from '../support/fixed-parts.ts';
import { storeFaults } from '../support/store-faults.ts';

let count = 0;

it('a small last pack that cannot be finished is closed and removed', async () => {
  for (const what of ['create', 'write', 'sync']) {
    const store = openStore({ kind: 'memory', name: `block-writer-${count++}` });
    let open = 0;
    const counted: typeof store = {
      ...store,
      async create(path) {
        const file = await store.create(path);
        open++;
        return { ...file, [Symbol.asyncDispose]: async () => void open-- };
      },
    };
    const k = ['create', 'write', 'sync'].indexOf(what) + 1;
    const faults = storeFaults(k, 'one');
    const random = fixedRandom();
    const writer = new BlockWriter({
      ...{ store: faults.wrap(counted), random, job: new Uint8Array(16), codec: 'none', readBack: 'none' },
      keys: { family: new Uint8Array(16), master: new Uint8Array(32), encrypted: true },
      ...{
        run: '00000000',
        folder: 'staging/job',
        kind: 'data',
        beforePublish: async () => undefined,
        onPack: async () => undefined,
      },
    });
    await writer.append(random.bytes(32), random.bytes(1000));
    await expect(writer.finishShare()).rejects.toMatchObject({ code: 'IO' });
    expect(faults.what).toContain(`${what} staging/job/part-00000000-pack-`);
    expect([open, await store.list('staging')]).toEqual([0, []]);
  }
});
