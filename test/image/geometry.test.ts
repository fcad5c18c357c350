import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Geometry, geometryBytes, geometryOf } from '../../src/image/vhd-parser.ts';

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

  it('is that of the algorithm in the specification’s appendix, at every step of it', () => {
    const edges = [17 * 4 * 1024, 17 * 16 * 1024, 31 * 16 * 1024, 63 * 16 * 65535, 255 * 16 * 65535, 17, 31, 63];
    for (const edge of edges) {
      for (let sectors = Math.max(1, edge - 70); sectors < edge + 70; sectors++) {
        expect(geometryOf(sectors * 512), `${sectors} sectors`).toEqual(appendix(sectors));
      }
    }
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 33 }), (sectors) => {
        expect(geometryOf(sectors * 512)).toEqual(appendix(sectors));
      }),
      { numRuns: 2000 },
    );
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

/** The specification's own steps, in its order. */
function appendix(sectors: number): Geometry {
  let totalSectors = sectors;
  if (totalSectors > 65535 * 16 * 255) totalSectors = 65535 * 16 * 255;
  let [sectorsPerTrack, heads, cylinderTimesHeads] = [0, 0, 0];
  if (totalSectors >= 65535 * 16 * 63) {
    sectorsPerTrack = 255;
    heads = 16;
    cylinderTimesHeads = Math.trunc(totalSectors / sectorsPerTrack);
  } else {
    sectorsPerTrack = 17;
    cylinderTimesHeads = Math.trunc(totalSectors / sectorsPerTrack);
    heads = Math.trunc((cylinderTimesHeads + 1023) / 1024);
    if (heads < 4) heads = 4;
    if (cylinderTimesHeads >= heads * 1024 || heads > 16) {
      sectorsPerTrack = 31;
      heads = 16;
      cylinderTimesHeads = Math.trunc(totalSectors / sectorsPerTrack);
    }
    if (cylinderTimesHeads >= heads * 1024) {
      sectorsPerTrack = 63;
      heads = 16;
      cylinderTimesHeads = Math.trunc(totalSectors / sectorsPerTrack);
    }
  }
  return { cylinders: Math.trunc(cylinderTimesHeads / heads), heads, sectorsPerTrack };
}
