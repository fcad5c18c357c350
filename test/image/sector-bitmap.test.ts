import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../src/base/hex.ts';
import { endOfRun, uniformity } from '../../src/image/vhd/sector-bitmap.ts';
import { bitmapBytes, fullBitmap, hasSector, setSector } from '../../src/image/vhd-parser.ts';

const KIB = 1024;

describe('a sector bitmap', () => {
  it('has one bit per sector in whole sectors, at least one', () => {
    const lengths = [
      [4, 512],
      [8, 512],
      [512, 512],
      [2048, 512],
      [4096, 1024],
      [256 * 1024, 65536],
    ] as const;
    for (const [kib, bytes] of lengths) expect(bitmapBytes(kib * KIB), `${kib} KiB`).toBe(bytes);
  });

  it('begins with the most significant bit', () => {
    const bitmap = new Uint8Array(512);
    for (const sector of [0, 9, 15, 4095]) setSector(bitmap, sector);
    expect(toHex(bitmap.subarray(0, 2))).toBe('8041');
    expect(toHex(bitmap.subarray(-1))).toBe('01');
    expect([0, 1, 8, 9, 15, 16, 4095].map((sector) => hasSector(bitmap, sector))).toEqual([
      true,
      false,
      false,
      true,
      true,
      false,
      true,
    ]);
  });

  it('that is full has no bit in its padding', () => {
    for (const blockSize of [4096, 8192, 512 * KIB, 2048 * KIB, 4096 * KIB]) {
      const bitmap = fullBitmap(blockSize);
      const used = blockSize / 512 / 8;
      expect(bitmap.byteLength).toBe(bitmapBytes(blockSize));
      expect(bitmap.subarray(0, used).every((byte) => byte === 0xff)).toBe(true);
      expect(bitmap.subarray(used).every((byte) => byte === 0)).toBe(true);
    }
  });

  it('is walked run by run as if bit by bit', () => {
    const runs = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(runs, fc.integer({ min: 0, max: 700 }), fc.boolean(), (drawn, cut, padding) => {
        const bits = drawn.flatMap(([set, count]) => new Array<boolean>(count).fill(set));
        const bitmap = new Uint8Array(512).fill(padding ? 0xff : 0);
        for (const [i, set] of bits.entries()) if (!set) bitmap[i >>> 3]! &= ~(0x80 >>> (i & 7));
        for (const [i, set] of bits.entries()) if (set) setSector(bitmap, i);
        const from = cut % bits.length;
        let expected = from;
        while (expected < bits.length && bits[expected] === bits[from]) expected++;
        expect(endOfRun(bitmap, from, bits.length)).toBe(expected);
        const all = bits.every((set) => set);
        expect(uniformity(bitmap, bits.length)).toBe(all ? 'all' : bits.every((set) => !set) ? 'none' : null);
      }),
      { numRuns: 500 },
    );
  });
});
