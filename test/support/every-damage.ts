import { isError } from '../../src/base/errors.ts';

/** One way to damage bytes. */
export interface Damage {
  name: string;
  bytes: Uint8Array;
}

/** Every byte flipped (its lowest bit, and its highest), every truncation, and one byte more. */
export function* everyDamage(bytes: Uint8Array, step = 1): Generator<Damage> {
  for (let at = 0; at < bytes.byteLength; at += step) {
    for (const mask of [0x01, 0x80]) {
      const flipped = Uint8Array.from(bytes);
      flipped[at]! ^= mask;
      yield { name: `byte ${at} ^ ${mask}`, bytes: flipped };
    }
  }
  for (let length = 0; length < bytes.byteLength; length += step) {
    yield { name: `cut to ${length}`, bytes: Uint8Array.from(bytes.subarray(0, length)) };
  }
  yield { name: 'one byte more', bytes: Buffer.concat([bytes, Uint8Array.of(0)]) };
}

/**
 * Damages that are not refused as they must be: those after which `read` gives a value, or fails without a type, or
 * with another code than allowed.
 */
export async function unrefused(
  bytes: Uint8Array,
  read: (damaged: Uint8Array) => unknown,
  codes: readonly string[],
  step = 1,
): Promise<string[]> {
  const bad: string[] = [];
  for (const { name, bytes: damaged } of everyDamage(bytes, step)) {
    try {
      const value = await read(damaged);
      if (value !== undefined) bad.push(`${name}: accepted`);
    } catch (error) {
      if (!isError(error)) bad.push(`${name}: untyped ${String(error)}`);
      else if (!codes.includes(error.code)) bad.push(`${name}: ${error.code} ${error.message}`);
    }
  }
  return bad;
}
