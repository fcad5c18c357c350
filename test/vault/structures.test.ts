import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../src/base/hex.ts';
import { encodeObjectHeader, KINDS, parseObjectHeader } from '../../src/vault/codec/object-header.ts';
import { encodeConfig, parseConfig, type VaultConfig } from '../../src/vault/config.ts';
import { newObject, type VaultKeys } from '../../src/vault/crypto/keys.ts';
import { encodeSlot, openSlot } from '../../src/vault/crypto/slot.ts';
import { openSegment } from '../../src/vault/index/segment.ts';
import type { SegmentEntry } from '../../src/vault/index/segment-layout.ts';
import { writeSegment } from '../../src/vault/index/segment-writer.ts';
import { decodeEntry, type EntryBody, encodeEntry, type LogEntry } from '../../src/vault/log/entry.ts';
import { decodeDirectory, encodeDirectory, parseTrailer, TRAILER_SIZE } from '../../src/vault/pack/directory.ts';
import { openMemoryStore } from '../../src/vault/store/memory-store.ts';
import { commitmentOf, objectKeyOf, sha256Of, unsealByPage } from '../support/by-format-page.ts';
import { unrefused } from '../support/every-damage.ts';
import { CHEAP_KDF, fixedRandom, PASSPHRASE } from '../support/fixed-parts.ts';
import { GOLDEN } from './golden.ts';

const keys: VaultKeys = {
  family: new Uint8Array(16).fill(0xfa),
  master: new Uint8Array(32).fill(0x3a),
  encrypted: true,
};
const modes = [
  ['encrypted', keys],
  ['not encrypted', { ...keys, encrypted: false }],
] as const;
const previous = new Uint8Array(32).fill(0x99);
const JOB = '0f'.repeat(16);
const DAMAGED = ['VAULT_DAMAGED'];
const DAMAGED_OR_NEWER = ['VAULT_DAMAGED', 'VAULT_NEWER'];

/** Golden bytes both ways; a missing one is printed, to be looked at and kept. */
function expectGolden(name: keyof typeof GOLDEN, bytes: Uint8Array): void {
  expect(toHex(bytes)).toBe(GOLDEN[name]);
}

describe('the object header', () => {
  const header = {
    ...{ kind: 'pack' as const, encrypted: true, critical: false },
    family: new Uint8Array(16).fill(1),
    job: new Uint8Array(16).fill(2),
    salt: new Uint8Array(32).fill(3),
    commitment: new Uint8Array(16).fill(4),
  };

  it('has its golden bytes, both ways', () => {
    expectGolden('header', encodeObjectHeader(header));
    expect(parseObjectHeader(fromHex(GOLDEN.header), 'pack', 'x')).toEqual(header);
  });

  it('is refused when cut, of another kind, of a later format or with bits that mean nothing', async () => {
    const bytes = encodeObjectHeader(header);
    expect(() => parseObjectHeader(bytes.subarray(0, 0), 'pack', 'x')).toThrow('no bytes');
    for (let n = 1; n < 96; n++) expect(() => parseObjectHeader(bytes.subarray(0, n), 'pack', 'x')).toThrow('shorter');
    for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
      if (kind !== 'pack') expect(() => parseObjectHeader(bytes, kind, 'x')).toThrow('is of kind 2');
    }
    const refusedUntil = await unrefused(
      bytes.subarray(0, 16),
      (start) => parseObjectHeader(Buffer.concat([start, bytes.subarray(16)]).subarray(0, 96), 'pack', 'x'),
      DAMAGED_OR_NEWER,
    );
    // The flags alone mean something in either state; both are bound by the seal.
    expect(refusedUntil.filter((one) => !one.startsWith('byte 11 ^ 1:') && !one.startsWith('one byte more'))).toEqual(
      [],
    );
  });

  it('commits to the key as FORMAT.md says', () => {
    const { header: made } = newObject(keys, fixedRandom(), 'pack', new Uint8Array(16));
    expect(toHex(made.subarray(80, 96))).toBe(toHex(commitmentOf(keys, made)));
  });
});

const BODIES: Record<string, EntryBody> = {
  init: {
    type: 'init',
    vaultHash: new Uint8Array(32).fill(5),
    slots: [{ name: '0123456789abcdef', hash: 'ab'.repeat(32) }],
    certificateSeed: new Uint8Array(32).fill(6),
  },
  open: { type: 'open', verb: 1 },
  point: {
    type: 'point',
    point: '1122334455667788',
    adds: [{ segment: 'cd'.repeat(32), size: 1234, packs: 2, bytes: 5_000_000_000 }],
    manifest: Uint8Array.of(1, 2, 3),
  },
  abandon: { type: 'abandon', job: '0e'.repeat(16) },
};
const entryOf = (body: EntryBody): LogEntry => ({
  ...{ sequence: 7, job: JOB, time: 1_767_225_600_000, tool: 'vhdvault test', clockDoubted: false, body },
});

describe('a log entry', () => {
  it.each(Object.keys(BODIES))('of type %s has its golden bytes, both ways', (type) => {
    const entry = entryOf(BODIES[type]!);
    expectGolden(`entry-${type}` as keyof typeof GOLDEN, encodeEntry(keys, fixedRandom(), previous, entry).bytes);
    expect(decodeEntry(keys, fromHex(GOLDEN[`entry-${type}` as keyof typeof GOLDEN]), 7, previous)).toEqual(entry);
  });

  it('opens by FORMAT.md alone', () => {
    const stored = fromHex(GOLDEN['entry-open']);
    const key = objectKeyOf(keys, 'entry', stored);
    const body = unsealByPage(key, stored.subarray(152), stored.subarray(0, 152));
    expect(stored.subarray(104, 136)).toEqual(previous);
    expect(body.readUInt8(0)).toBe(2);
    expect(body.readBigUInt64LE(2)).toBe(1_767_225_600_000n);
    expect(body.toString('utf8', 12, 12 + body.readUInt16LE(10))).toBe('vhdvault test');
    expect(body.at(-1)).toBe(1);
  });

  it.each(modes)('is refused after every flip and every cut (%s)', async (_, mode) => {
    for (const body of Object.values(BODIES)) {
      const { bytes } = encodeEntry(mode, fixedRandom(), previous, entryOf(body));
      expect(await unrefused(bytes, (damaged) => decodeEntry(mode, damaged, 7, previous), DAMAGED_OR_NEWER)).toEqual(
        [],
      );
    }
  });

  it('is refused under another number, after another entry, in another vault and under another key', () => {
    const { bytes } = encodeEntry(keys, fixedRandom(), previous, entryOf(BODIES.open!));
    const damaged = expect.objectContaining({ code: 'VAULT_DAMAGED' });
    expect(() => decodeEntry(keys, bytes, 8, previous)).toThrow(damaged);
    expect(() => decodeEntry(keys, bytes, 7, new Uint8Array(32))).toThrow(damaged);
    expect(() => decodeEntry({ ...keys, family: new Uint8Array(16) }, bytes, 7, previous)).toThrow(damaged);
    expect(() => decodeEntry({ ...keys, master: new Uint8Array(32) }, bytes, 7, previous)).toThrow(damaged);
  });

  it('of more than 1 MiB is refused before it is written', () => {
    const manifest = new Uint8Array(1024 * 1024);
    const body: EntryBody = { type: 'point', point: '1122334455667788', adds: [], manifest };
    expect(() => encodeEntry(keys, fixedRandom(), previous, entryOf(body))).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    );
  });
});

describe('the directory of a pack', () => {
  const entries = [0, 1, 2].map((n) => ({
    ...{
      id: new Uint8Array(32).fill(n + 1),
      offset: 96 + n * 100,
      storedLength: 100,
      rawLength: 84,
      codec: 1,
      kind: 0,
    },
  }));
  const end = 96 + 300;

  function encoded(mode: VaultKeys): {
    header: Uint8Array;
    bytes: Uint8Array;
    sealer: ReturnType<typeof newObject>['sealer'];
  } {
    const { header, sealer } = newObject(mode, fixedRandom(), 'pack', new Uint8Array(16));
    return { header, sealer, bytes: Buffer.concat(encodeDirectory(sealer, header, entries)) };
  }
  function decoded(mode: VaultKeys, bytes: Uint8Array): unknown {
    const { header, sealer } = encoded(mode);
    const size = end + bytes.byteLength;
    const { offset, length } = parseTrailer(bytes.subarray(-TRAILER_SIZE), size, 'x');
    const sealed = bytes.subarray(offset - end, offset - end + length);
    return decodeDirectory({ sealer, header, sealed, end: offset, path: 'x' });
  }

  it('has its golden bytes, both ways', () => {
    expectGolden('directory', encoded(keys).bytes);
    expect(decoded(keys, fromHex(GOLDEN.directory))).toEqual(entries.map((one) => ({ ...one, id: expect.anything() })));
    expect((decoded(keys, fromHex(GOLDEN.directory)) as typeof entries).map(({ id }) => toHex(id))).toEqual(
      entries.map(({ id }) => toHex(id)),
    );
  });

  it.each(modes)('is refused after every flip and every cut (%s)', async (_, mode) => {
    expect(await unrefused(encoded(mode).bytes, (damaged) => decoded(mode, damaged), DAMAGED)).toEqual([]);
  });
});

describe('a segment', () => {
  const packs = [
    { name: 'aa'.repeat(32), size: 1000, frames: 3 },
    { name: 'bb'.repeat(32), size: 2000, frames: 4 },
  ];
  const entryAt = (n: number): SegmentEntry => ({
    id: new Uint8Array(32).fill(n + 1),
    ...{ pack: n % 2, offset: 96 + n, storedLength: 50 + n, ordinal: n, codec: n % 3, kind: n % 2 },
  });
  const few = Array.from({ length: 5 }, (_, n) => entryAt(n));
  const plain = (entries: readonly SegmentEntry[]): string =>
    JSON.stringify(entries.map((one) => ({ ...one, id: toHex(one.id) })));
  let count = 0;

  async function written(mode: VaultKeys, entries: Iterable<SegmentEntry>): Promise<Uint8Array> {
    const store = openMemoryStore(`segment-${count++}`);
    const job = new Uint8Array(16).fill(0x0f);
    await writeSegment({ store, keys: mode, random: fixedRandom(), job, path: 's', packs, entries });
    return store.get('s');
  }
  async function opened(mode: VaultKeys, bytes: Uint8Array): Promise<Awaited<ReturnType<typeof openSegment>>> {
    const store = openMemoryStore(`segment-${count++}`);
    await using file = await store.create('s');
    await file.write([bytes]);
    return openSegment(store, mode, 's');
  }

  it('has its golden bytes, both ways', async () => {
    expectGolden('segment', await written(keys, few));
    const segment = await opened(keys, fromHex(GOLDEN.segment));
    expect(segment.packs).toEqual(packs);
    expect(plain((await Array.fromAsync(segment.pages())).flat())).toEqual(plain(few));
  });

  it.each(modes)('is refused after every flip and every cut (%s)', async (_, mode) => {
    const bytes = await written(mode, few);
    const read = async (damaged: Uint8Array): Promise<unknown> =>
      Array.fromAsync((await opened(mode, damaged)).pages());
    // The job in the header is bound by the seals, since the whole header is their associated data.
    expect(await unrefused(bytes, read, DAMAGED_OR_NEWER)).toEqual([]);
  });

  it('finds every id that it holds, and no other, over many pages', async () => {
    const ids = Array.from({ length: 3000 }, (_, n) => sha256Of(Uint8Array.of(n & 255, n >> 8))).sort(Buffer.compare);
    const entries = ids.map((id, n) => ({ ...entryAt(n % 200), id: new Uint8Array(id), ordinal: n }));
    const segment = await opened(keys, await written(keys, entries));
    expect(segment.entries).toBe(3000);
    for (const entry of entries)
      expect((await segment.findAll(entry.id)).map(({ ordinal }) => ordinal)).toEqual([entry.ordinal]);
    for (const { id } of entries.slice(0, 300)) {
      const other = Uint8Array.from(id);
      other[31]! ^= 1;
      expect(await segment.findAll(other)).toEqual([]);
    }
    expect(await segment.findAll(new Uint8Array(32))).toEqual([]);
    expect(await segment.findAll(new Uint8Array(32).fill(255))).toEqual([]);
  });

  it.each([0, 1, 1364, 1365, 1366, 2730])('of %i entries comes back whole', async (length) => {
    const entries = Array.from({ length }, (_, n) => {
      const id = new Uint8Array(32);
      new DataView(id.buffer).setUint32(0, n);
      return { ...entryAt(n % 200), id };
    });
    const segment = await opened(keys, await written(keys, entries));
    expect(plain((await Array.fromAsync(segment.pages())).flat())).toEqual(plain(entries));
  });

  it('whose entries are not in order is refused', async () => {
    const bytes = await written(keys, few.toReversed());
    const segment = await opened(keys, bytes);
    await expect(Array.fromAsync(segment.pages())).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });
});

describe('a slot', () => {
  const vaultHash = new Uint8Array(32).fill(0x77);
  const keyFile = { keyFile: new Uint8Array(40).fill(0x55) };
  const open = (
    stored: Uint8Array,
    secret: Parameters<typeof openSlot>[0]['secret'],
    hash = vaultHash,
  ): ReturnType<typeof openSlot> => openSlot({ stored, path: 'keys/x', family: keys.family, secret, vaultHash: hash });
  const encode = (secret: Parameters<typeof openSlot>[0]['secret']): Promise<Uint8Array> =>
    encodeSlot({ keys, secret, vaultHash, cost: CHEAP_KDF, random: fixedRandom() });

  it('has its golden bytes, both ways, for a passphrase and for a key file', async () => {
    expectGolden('slot-passphrase', await encode(PASSPHRASE));
    expectGolden('slot-key-file', await encode(keyFile));
    expect(await open(fromHex(GOLDEN['slot-passphrase']), PASSPHRASE)).toEqual(Buffer.from(keys.master));
    expect(await open(fromHex(GOLDEN['slot-key-file']), keyFile)).toEqual(Buffer.from(keys.master));
  });

  it('opens for no other secret, and not in another vault', async () => {
    const [byPhrase, byFile] = [await encode(PASSPHRASE), await encode(keyFile)];
    expect(await open(byPhrase, { passphrase: 'another' })).toBeUndefined();
    expect(await open(byFile, { keyFile: new Uint8Array(40) })).toBeUndefined();
    expect(await open(byPhrase, keyFile)).toBeUndefined();
    expect(await open(byFile, PASSPHRASE)).toBeUndefined();
    await expect(open(byPhrase, PASSPHRASE, new Uint8Array(32))).rejects.toMatchObject({ code: 'VAULT_DAMAGED' });
  });

  it('takes a passphrase however its accents are composed', async () => {
    const slot = await encode({ passphrase: 'caf\u00e9' });
    expect(await open(slot, { passphrase: 'cafe\u0301' })).toEqual(Buffer.from(keys.master));
  });

  it('gives no key after any flip and any cut', async () => {
    for (const secret of [PASSPHRASE, keyFile]) {
      expect(await unrefused(await encode(secret), (damaged) => open(damaged, secret), DAMAGED_OR_NEWER)).toEqual([]);
    }
  });
});

describe('vault.json', () => {
  const config: VaultConfig = {
    family: new Uint8Array(16).fill(1),
    id: new Uint8Array(16).fill(2),
    ...{ blockSize: 131072, codec: 'lz4', encrypted: false, singleWriter: false, reserve: 67108864 },
    publicKey: new Uint8Array(32).fill(3),
    certificateKey: new Uint8Array(32).fill(4),
  };

  it('has its golden bytes, both ways', () => {
    expect(Buffer.from(encodeConfig(config)).toString()).toBe(GOLDEN.config);
    expect(parseConfig(Buffer.from(GOLDEN.config))).toEqual(config);
    const encrypted = { ...config, encrypted: true, publicKey: null };
    expect(parseConfig(encodeConfig(encrypted))).toEqual(encrypted);
  });

  it('is another value or refused after every flip and cut, never the same and never an untyped error', async () => {
    const bytes = encodeConfig(config);
    const read = (damaged: Uint8Array): unknown => {
      const found = parseConfig(damaged);
      return Buffer.compare(encodeConfig(found), bytes) === 0 ? found : undefined;
    };
    expect(await unrefused(bytes, read, DAMAGED_OR_NEWER)).toEqual([]);
  });

  it.each([
    ['null'],
    ['1'],
    ['[]'],
    ['{}'],
    [GOLDEN.config.replace('"features": []', '"features": ["dedup-2"]')],
    [GOLDEN.config.replace('"format": 0', '"format": 1')],
    [GOLDEN.config.replace('"lz4"', '"toString"')],
    [GOLDEN.config.replace('"none"', '"aes-256-gcm"')],
    [GOLDEN.config.replace('131072', '131073')],
    [GOLDEN.config.replace('"magic"', '"more": 1,\n  "magic"')],
    [`${GOLDEN.config}\n`],
  ])('refuses %s', (text) => {
    expect(() => parseConfig(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^VAULT_(DAMAGED|NEWER)$/) }),
    );
  });
});
