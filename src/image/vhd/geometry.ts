import { SECTOR } from '../../base/units.ts';

/** Cylinders, heads, sectors per track: what old BIOSes saw. Informative; the size of a disk is its current size. */
export interface Geometry {
  /** 0 to 65535. */
  cylinders: number;
  /** 0 to 255. */
  heads: number;
  /** 0 to 255; of 512 bytes. */
  sectorsPerTrack: number;
}

const MOST_SECTORS = 65535 * 16 * 255;

/** The geometry that the specification's appendix computes for a disk of `size` bytes. It never covers more than `size`. */
export function geometryOf(size: number): Geometry {
  const total = Math.min(Math.floor(size / SECTOR), MOST_SECTORS);
  if (total >= 65535 * 16 * 63) return shape(total, 16, 255);
  const tracks = Math.floor(total / 17);
  const heads = Math.max(4, Math.floor((tracks + 1023) / 1024));
  if (tracks < heads * 1024 && heads <= 16) return shape(total, heads, 17);
  if (Math.floor(total / 31) < 16 * 1024) return shape(total, 16, 31);
  return shape(total, 16, 63);
}

function shape(total: number, heads: number, sectorsPerTrack: number): Geometry {
  return { cylinders: Math.floor(Math.floor(total / sectorsPerTrack) / heads), heads, sectorsPerTrack };
}

/** The bytes that a geometry covers. */
export function geometryBytes(geometry: Geometry): number {
  return geometry.cylinders * geometry.heads * geometry.sectorsPerTrack * SECTOR;
}
