import { asBuffer } from '../base/hex.ts';
import { KIB } from '../base/units.ts';

const zeros = Buffer.alloc(64 * KIB);

/** Tells whether all bytes are zero; memcmp against zeros, which ends at the first difference. */
export function isZero(bytes: Uint8Array): boolean {
  const buffer = asBuffer(bytes);
  for (let at = 0; at < buffer.length; at += zeros.length) {
    const end = Math.min(buffer.length, at + zeros.length);
    if (buffer.compare(zeros, 0, end - at, at, end) !== 0) return false;
  }
  return true;
}
