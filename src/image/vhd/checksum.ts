/**
 * The checksum of the VHD specification: the ones' complement of the sum of all bytes of a structure, with the four
 * bytes of the checksum itself (at `field`) counted as zero.
 */
export function checksum(bytes: Uint8Array, field: number): number {
  let sum = 0;
  for (const byte of bytes) sum += byte;
  for (let i = field; i < field + 4; i++) sum -= bytes[i] ?? 0;
  return ~sum >>> 0;
}
