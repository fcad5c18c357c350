import { argon2Sync } from 'node:crypto';
import { argon2id } from '@noble/hashes/argon2.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { systemRandom } from '../../src/base/random.ts';
import { parseObjectHeader } from '../../src/vault/codec/object-header.ts';
import { blake3, createBlake3, isBlake3Native, referenceBlake3 } from '../../src/vault/crypto/blake3.ts';
import { newObject } from '../../src/vault/crypto/keys.ts';
import { createSealer } from '../../src/vault/crypto/sealer.ts';

describe('BLAKE3', () => {
  it('is the native one on this machine', () => {
    expect(isBlake3Native()).toBe(true);
  });

  it('gives the hash of the published test vectors', () => {
    expect(toHex(blake3(new Uint8Array(0)))).toBe('af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
    const pattern = Uint8Array.from({ length: 1025 }, (_, n) => n % 251);
    expect(toHex(blake3(pattern))).toBe('d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444');
    const key = new TextEncoder().encode('whats the Elvish word for friend');
    expect(toHex(blake3(pattern, key))).toBe('357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69');
  });

  it('is the same in native code and in the reference, keyed or not, in any pieces', () => {
    const bytes = fc.uint8Array({ maxLength: 9000 });
    const key = fc.option(fc.uint8Array({ minLength: 32, maxLength: 32 }), { nil: undefined });
    fc.assert(
      fc.property(bytes, key, fc.nat(9000), (content, secret, cut) => {
        const [one, other] = [createBlake3(secret), referenceBlake3(secret)];
        one.update(content.subarray(0, cut));
        one.update(content.subarray(cut));
        other.update(content);
        expect(toHex(one.digest())).toBe(toHex(other.digest()));
      }),
      { numRuns: 100 },
    );
  });
});

describe('a new object', () => {
  it('has a salt of its own', () => {
    const keys = { family: new Uint8Array(16), master: new Uint8Array(32).fill(2), encrypted: true };
    const salts = Array.from({ length: 3 }, () => {
      const { header } = newObject(keys, systemRandom, 'pack', new Uint8Array(16));
      return toHex(parseObjectHeader(header, 'pack', 'memory').salt);
    });
    expect(new Set(salts).size).toBe(3);
  });
});

describe('argon2id', () => {
  it('gives the same key in Node and in noble', () => {
    for (const [memory, passes, parallelism] of [
      [8, 1, 1],
      [64, 2, 1],
      [64, 3, 4],
    ] as const) {
      const message = Buffer.from('pässword');
      const nonce = Buffer.alloc(32, memory);
      const node = argon2Sync('argon2id', { message, nonce, parallelism, tagLength: 32, memory, passes });
      const noble = argon2id(message, nonce, { t: passes, m: memory, p: parallelism, dkLen: 32 });
      expect(toHex(node)).toBe(toHex(noble));
    }
  });
});

describe.each([true, false])('a sealer (encrypted: %s)', (encrypted) => {
  const sealer = createSealer(new Uint8Array(32).fill(7), encrypted);
  const seal = (domain: number, counter: number, associated: Uint8Array, bytes: Uint8Array): Uint8Array =>
    Buffer.concat(sealer.seal(domain, counter, associated, bytes));

  it('gives back what was sealed, 16 bytes longer, also when that is nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.uint8Array({ maxLength: 40 }), (bytes, associated) => {
        const sealed = seal(0, 5, associated, bytes);
        expect(sealed.byteLength).toBe(bytes.byteLength + 16);
        expect(Buffer.from(sealer.unseal(0, 5, associated, sealed)!)).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it('refuses every flipped bit, every cut, and every other place', () => {
    const associated = Uint8Array.of(1, 2, 3);
    const sealed = seal(0, 5, associated, new TextEncoder().encode('words'));
    for (let bit = 0; bit < sealed.byteLength * 8; bit++) {
      const flipped = Uint8Array.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(sealer.unseal(0, 5, associated, flipped)).toBeUndefined();
    }
    for (let n = 0; n < sealed.byteLength; n++)
      expect(sealer.unseal(0, 5, associated, sealed.subarray(0, n))).toBeUndefined();
    expect(sealer.unseal(1, 5, associated, sealed)).toBeUndefined();
    expect(sealer.unseal(0, 6, associated, sealed)).toBeUndefined();
    expect(sealer.unseal(0, 5, associated.subarray(1), sealed)).toBeUndefined();
    expect(createSealer(new Uint8Array(32).fill(8), encrypted).unseal(0, 5, associated, sealed)).toBeUndefined();
    expect(createSealer(new Uint8Array(32).fill(7), !encrypted).unseal(0, 5, associated, sealed)).toBeUndefined();
  });

  it('does not confuse the end of the associated data with the beginning of the bytes', () => {
    const sealed = seal(0, 0, Uint8Array.of(1, 2), Uint8Array.of(3, 4));
    const moved = Buffer.concat([Uint8Array.of(2), sealed]);
    expect(sealer.unseal(0, 0, Uint8Array.of(1), moved)).toBeUndefined();
  });
});
