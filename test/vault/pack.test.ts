import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { createBlockHasher } from '../../src/vault/block-ids.ts';
import type { BlockLocation } from '../../src/vault/block-index.ts';
import { BlockReader } from '../../src/vault/block-reader.ts';
import { checkPack } from '../../src/vault/check-pack.ts';
import type { Codec } from '../../src/vault/codec/compress.ts';
import { compress, decompress } from '../../src/vault/codec/compress.ts';
import { referenceBlake3 } from '../../src/vault/crypto/blake3.ts';
import type { VaultKeys } from '../../src/vault/crypto/keys.ts';
import { packPath } from '../../src/vault/pack/pack-reader.ts';
import { type FinishedPack, PackWriter } from '../../src/vault/pack/pack-writer.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { constantKeyOf, objectKeyOf, unsealByPage } from '../support/by-format-page.ts';
import { unrefused } from '../support/every-damage.ts';
import { fixedRandom } from '../support/fixed-parts.ts';
import { spoilZstd } from '../support/spoilt-codec.ts';
import { noise, text } from '../support/vault-bench.ts';

const encryptedKeys: VaultKeys = {
  family: new Uint8Array(16).fill(1),
  master: new Uint8Array(32).fill(2),
  encrypted: true,
};
const clearKeys = { ...encryptedKeys, encrypted: false };
const BLOCK = 16 * 1024;
let count = 0;

interface Packed {
  store: Store;
  pack: FinishedPack;
  raws: Uint8Array[];
}

async function packed(keys: VaultKeys, codec: Codec, raws: Uint8Array[]): Promise<Packed> {
  const store = openMemoryStore(`pack-${count++}`);
  const options = { store, keys, random: fixedRandom(`${count}`), job: new Uint8Array(16), codec };
  const writer = new PackWriter({ ...options, readBack: 'block' }, 'staging/pack');
  const hasher = createBlockHasher(keys);
  const buffer = Buffer.alloc(BLOCK);
  for (const raw of raws) {
    // One buffer for all, as a scan has it: what append keeps of it must be a copy.
    buffer.set(raw);
    await writer.append('data', hasher.data(raw), buffer);
  }
  const pack = await writer.finish();
  await store.rename(pack.path, packPath(pack.name));
  return { store, pack, raws };
}

function locations({ pack }: Packed): BlockLocation[] {
  return pack.entries.map((entry, ordinal) => ({ ...entry, pack: pack.name, ordinal }));
}

async function readAll(keys: VaultKeys, made: Packed, where: readonly BlockLocation[]): Promise<Uint8Array[]> {
  await using reader = new BlockReader(made.store, keys);
  const wanted = where.map((location, n) => ({ id: made.pack.entries[n]!.id, location, rawLength: BLOCK }));
  const found: Uint8Array[] = [];
  await reader.read(wanted, (n, raw) => {
    found[n] = Uint8Array.from(raw);
  });
  return found;
}

const someRaws = (): Uint8Array[] => [
  noise(BLOCK, 1),
  text(BLOCK, 2),
  noise(BLOCK, 3),
  text(BLOCK, 4),
  noise(BLOCK, 5),
];
const codecs = ['none', 'lz4', 'zstd'] as const;

describe.each([
  ['encrypted', encryptedKeys],
  ['not encrypted', clearKeys],
] as const)('a pack, %s', (_, keys) => {
  it.each(codecs)('gives back every block that %s compressed, in any order', async (codec) => {
    const made = await packed(keys, codec, someRaws());
    expect((await readAll(keys, made, locations(made))).map(toHex)).toEqual(made.raws.map(toHex));
    const { entries, size, name } = made.pack;
    expect(await made.store.size(packPath(name))).toBe(size);
    const compressed = entries.filter((entry) => entry.codec !== 0).length;
    expect(compressed).toBe(codec === 'none' ? 0 : 2);
    const check = await checkPack({ store: made.store, keys, name, size, blockSize: BLOCK, indexed: [] });
    expect(check).toEqual({ troubles: [], wrong: [], lost: [] });
  });

  it('has the hash of its bytes as its name, so anyone can check it without a key', async () => {
    const { store, pack } = await packed(keys, 'lz4', someRaws());
    const hash = referenceBlake3();
    hash.update(await store.get(packPath(pack.name)));
    expect(toHex(hash.digest())).toBe(pack.name);
  });

  it('refuses a frame under the id, at the place or with the facts of another', async () => {
    const made = await packed(keys, 'none', someRaws());
    const right = locations(made);
    const swapped = [right[2]!, right[1]!, right[0]!, right[3]!, right[4]!];
    const wrong: BlockLocation[][] = [
      swapped,
      right.map((location) => ({ ...location, ordinal: location.ordinal + 1 })),
      right.map((location) => ({ ...location, kind: 1 })),
      right.map((location) => ({ ...location, codec: 1 })),
      right.map((location) => ({ ...location, offset: location.offset + 1 })),
      right.map((location) => ({ ...location, storedLength: location.storedLength - 1 })),
      right.map((location) => ({ ...location, storedLength: 3 })),
      right.map((location) => ({ ...location, offset: 2 ** 31 })),
    ];
    for (const where of wrong) {
      await expect(readAll(keys, made, where)).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    }
  });

  it('refuses frames that were moved over from another pack, even of the same blocks', async () => {
    const [one, other] = [await packed(keys, 'none', someRaws()), await packed(keys, 'none', someRaws())];
    const [at, from] = [packPath(one.pack.name), packPath(other.pack.name)];
    const [bytes, others] = [await one.store.get(at), await other.store.get(from)];
    const { offset, storedLength } = one.pack.entries[1]!;
    bytes.set(others.subarray(offset, offset + storedLength), offset);
    await one.store.remove(at);
    await one.store.create(at).then((file) => file.write([bytes]));
    await expect(readAll(keys, one, locations(one))).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    const { name, size } = one.pack;
    const check = await checkPack({ store: one.store, keys, name, size, blockSize: BLOCK, indexed: [] });
    expect(check).toMatchObject({ wrong: [1], lost: [1] });
  });

  it('is found out after every flip and every cut, by a check of all its bytes', async () => {
    const made = await packed(keys, 'zstd', [text(BLOCK, 1), text(BLOCK, 2)]);
    const { name, size } = made.pack;
    const bytes = await made.store.get(packPath(name));
    const read = async (damaged: Uint8Array): Promise<unknown> => {
      await made.store.remove(packPath(name));
      await made.store.create(packPath(name)).then((file) => file.write([damaged]));
      const { troubles } = await checkPack({ store: made.store, keys, name, size, blockSize: BLOCK, indexed: [] });
      return troubles.length === 0 ? 'clean' : undefined;
    };
    expect(await unrefused(bytes, read, [])).toEqual([]);
  });

  it('never gives another block after a flip, only the right ones or damage', async () => {
    const made = await packed(keys, 'lz4', [text(BLOCK, 1), noise(BLOCK, 2)]);
    const path = packPath(made.pack.name);
    const bytes = await made.store.get(path);
    const right = made.raws.map(toHex).join();
    const read = async (damaged: Uint8Array): Promise<unknown> => {
      await made.store.remove(path);
      await made.store.create(path).then((file) => file.write([damaged]));
      const found = await readAll(keys, made, locations(made));
      return found.map(toHex).join() === right ? undefined : 'another block';
    };
    expect(await unrefused(bytes, read, ['VAULT_DAMAGED', 'VAULT_NEWER'], 61)).toEqual([]);
  });
});

describe('a pack', () => {
  it('opens by FORMAT.md alone', async () => {
    const made = await packed(encryptedKeys, 'none', [noise(BLOCK, 8), noise(BLOCK, 9)]);
    const bytes = Buffer.from(await made.store.get(packPath(made.pack.name)));
    const header = bytes.subarray(0, 96);
    const key = objectKeyOf(encryptedKeys, 'pack', header);
    const length = bytes.readUInt32LE(bytes.length - 24);
    const directory = unsealByPage(key, bytes.subarray(bytes.length - 24 - length, bytes.length - 24), header, {
      domain: 1,
    });
    const second = directory.subarray(48);
    const [id, offset, stored] = [second.subarray(0, 32), second.readUInt32LE(32), second.readUInt32LE(36)];
    // u32 ordinal, u8 kind, u8 codec, u32 raw length.
    const facts = Buffer.alloc(10);
    facts.writeUInt32LE(1, 0);
    facts.writeUInt32LE(BLOCK, 6);
    const associated = Buffer.concat([
      Buffer.from('vhdvault/frame/1'),
      encryptedKeys.family,
      header.subarray(48, 80),
      facts,
      id,
    ]);
    const raw = unsealByPage(key, bytes.subarray(offset, offset + stored), associated, { counter: 1 });
    expect(toHex(raw)).toBe(toHex(made.raws[1]!));
    const hash = referenceBlake3(constantKeyOf(encryptedKeys, 'id-data'));
    hash.update(raw);
    expect(toHex(hash.digest())).toBe(toHex(id));
  });

  it('takes no block that its codec spoilt', async () => {
    using _spoilt = spoilZstd(text(BLOCK, 2));
    const spoilt = packed(encryptedKeys, 'zstd', [text(BLOCK, 1)]);
    await expect(spoilt).rejects.toMatchObject({ code: 'BUG', hint: expect.stringContaining('memory') });
  });

  it('whose writer gave a block the id of another is found out by its reader, though all of it is authentic', async () => {
    const store = openMemoryStore(`pack-${count++}`);
    const options = {
      store,
      keys: encryptedKeys,
      random: fixedRandom(),
      job: new Uint8Array(16),
      codec: 'lz4' as const,
    };
    const writer = new PackWriter({ ...options, readBack: 'block' }, 'staging/pack');
    const wrongId = createBlockHasher(encryptedKeys).data(noise(BLOCK, 1));
    await writer.append('data', wrongId, noise(BLOCK, 2));
    const pack = await writer.finish();
    await store.rename(pack.path, packPath(pack.name));
    const made = { store, pack, raws: [] };
    await expect(readAll(encryptedKeys, made, locations(made))).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
    const check = await checkPack({
      store,
      keys: encryptedKeys,
      name: pack.name,
      size: pack.size,
      blockSize: BLOCK,
      indexed: [],
    });
    expect(check).toMatchObject({ wrong: [0], lost: [0] });
  });

  it('gives data blocks and map pages of the same bytes different ids', () => {
    const hasher = createBlockHasher(encryptedKeys);
    expect(toHex(hasher.data(new Uint8Array(8192)))).not.toBe(toHex(hasher.page(new Uint8Array(8192))));
  });
});

describe.each(codecs)('the codec %s', (codec) => {
  it('gives back what it was given, of any content and length', () => {
    for (const raw of [noise(BLOCK, 1), text(BLOCK, 1), text(4 << 20, 1), Uint8Array.of(1), new Uint8Array(BLOCK)]) {
      const { codec: used, payload } = compress(codec, raw);
      const number = { none: 0, lz4: 1, zstd: 2 }[used];
      expect(Buffer.compare(decompress(number, payload, raw.byteLength)!, raw)).toBe(0);
      expect(decompress(number, payload, raw.byteLength - 1)).toBeUndefined();
      expect(decompress(number, payload, raw.byteLength + 1)).toBeUndefined();
    }
  });

  it('answers garbage with undefined, never with an error or a crash', () => {
    const number = { none: 0, lz4: 1, zstd: 2 }[codec];
    for (let n = 0; n < 300; n++) {
      const garbage = noise(n, n + 1);
      if (n >= 4) new DataView(garbage.buffer).setUint32(0, 1000, true);
      const found = decompress(number, garbage, 1000);
      if (found) expect(found.byteLength).toBe(1000);
    }
    expect(decompress(9, new Uint8Array(5), 5)).toBeUndefined();
  });
});
