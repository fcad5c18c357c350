import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { geometryBytes, geometryOf } from '../../src/image/vhd-parser.ts';

const MIB = 1024 * 1024;

describe('the geometry of a disk', () => {
  it('is what Windows and qemu compute', () => {
    const anchors: [number, string][] = [
      [104448, '3/4/17'],
      [4 * MIB, '120/4/17'],
      [10 * MIB, '301/4/17'],
      [512 * MIB, '1040/16/63'],
      [136365211648, '65278/16/255'],
      [2040 * 1024 * MIB, '65535/16/255'],
      [32 * MIB * MIB, '65535/16/255'],
    ];
    for (const [size, expected] of anchors) {
      const { cylinders, heads, sectorsPerTrack } = geometryOf(size);
      expect(`${cylinders}/${heads}/${sectorsPerTrack}`, String(size)).toBe(expected);
    }
  });

  it('never covers more than the disk, and fits its fields', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 33 }), (sectors) => {
        const geometry = geometryOf(sectors * 512);
        expect(geometryBytes(geometry)).toBeLessThanOrEqual(sectors * 512);
        expect(geometry.cylinders).toBeLessThanOrEqual(65535);
        expect(geometry.heads).toBeLessThanOrEqual(16);
      }),
    );
  });
});
