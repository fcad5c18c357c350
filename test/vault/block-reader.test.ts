import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { createBlockHasher } from '../../src/vault/block-ids.ts';
import { BlockReader, type WantedBlock } from '../../src/vault/block-reader.ts';
import { packPath } from '../../src/vault/pack/pack-reader.ts';
import { PackWriter } from '../../src/vault/pack/pack-writer.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import type { VaultKeys } from '../../src/vault/vault.ts';
import { fixedRandom } from '../support/fixed-parts.ts';
import { noise } from '../support/vault-bench.ts';

const KEYS: VaultKeys = { family: new Uint8Array(16).fill(1), master: new Uint8Array(32).fill(2), encrypted: true };
const BLOCK = 512;
/** More than may be open at once. */
const PACKS = 100;

describe('a reader of many packs', () => {
  const plain = openMemoryStore('block-reader');
  const raws = Array.from({ length: PACKS }, (_, n) => noise(BLOCK, n));
  const wanted: WantedBlock[] = [];

  beforeAll(async () => {
    const random = fixedRandom();
    const hasher = createBlockHasher(KEYS);
    for (const raw of raws) {
      const options = { store: plain, keys: KEYS, random, job: new Uint8Array(16), codec: 'none' } as const;
      const writer = new PackWriter({ ...options, readBack: 'block' }, 'staging/pack');
      await writer.append('data', hasher.data(raw), raw);
      const pack = await writer.finish();
      await plain.rename(pack.path, packPath(pack.name));
      const entry = pack.entries[0]!;
      wanted.push({ id: entry.id, location: { ...entry, pack: pack.name, ordinal: 0 }, rawLength: BLOCK });
    }
  });

  it('serves reads of all of them at once, and none is closed that is being read', async () => {
    const watched = watch(plain);
    const all = [...wanted.entries(), ...wanted.toReversed().map((block, n) => [PACKS - 1 - n, block] as const)];
    {
      await using reader = new BlockReader(watched.store, KEYS);
      await Promise.all(
        all.map(([n, block]) => reader.read([block], (_, raw) => expect(raw).toEqual(Buffer.from(raws[n]!)))),
      );
      expect(watched.opened).toBe(PACKS);
    }
    expect(watched.open).toBe(0);
  });

  it('keeps few of them open', async () => {
    const watched = watch(plain);
    await using reader = new BlockReader(watched.store, KEYS);
    for (const block of wanted) await reader.read([block], () => undefined);
    expect(watched.opened).toBe(PACKS);
    expect(watched.mostOpen).toBeLessThanOrEqual(65);
  });

  it('ends between two packs when it is cancelled', async () => {
    const watched = watch(plain);
    await using reader = new BlockReader(watched.store, KEYS);
    const cancel = new AbortController();
    const sink = (): void => cancel.abort();
    await expect(reader.read(wanted, sink, cancel.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(watched.opened).toBe(1);
  });

  it('opens a pack again after it could not be opened', async () => {
    const watched = watch(plain);
    watched.failing = true;
    await using reader = new BlockReader(watched.store, KEYS);
    const read = (): Promise<void> => reader.read([wanted[0]!], () => undefined);
    const both = await Promise.allSettled([read(), read()]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    watched.failing = false;
    await read();
  });
});

/** Files that take a turn to open and to read, and cannot be read when they are closed. */
function watch(store: Store): { store: Store; opened: number; open: number; mostOpen: number; failing: boolean } {
  const watched = { store, opened: 0, open: 0, mostOpen: 0, failing: false };
  watched.store = {
    ...store,
    async open(path) {
      await turn();
      if (watched.failing) throw new Error('cannot be opened');
      const file = await store.open(path);
      watched.opened++;
      watched.mostOpen = Math.max(watched.mostOpen, ++watched.open);
      let closed = false;
      return {
        size: file.size,
        async read(position, target) {
          await turn();
          if (closed) throw new Error(`${path} is closed`);
          await file.read(position, target);
        },
        async [Symbol.asyncDispose]() {
          closed = true;
          watched.open--;
        },
      };
    },
  };
  return watched;
}
