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

/** One disease of an object of a vault; undefined: it is not there. `told`: its size tells. */
export interface Disease {
  name: string;
  bytes: Uint8Array | undefined;
  told: boolean;
}

/** Flipped in head, body, tag and last byte, cut, zeroed, deleted, and swapped with a neighbour of its kind. */
export function diseasesOf(bytes: Uint8Array, neighbour?: Uint8Array): Disease[] {
  const { byteLength } = bytes;
  const flip = (name: string, at: number): Disease => {
    const flipped = Uint8Array.from(bytes);
    flipped[at < 0 ? byteLength + at : at]! ^= 1;
    return { name: `a flip in ${name}`, bytes: flipped, told: false };
  };
  const cut = (length: number): Disease => ({
    ...{ name: `cut to ${length} of ${byteLength}`, bytes: bytes.slice(0, length), told: true },
  });
  const swapped = neighbour && { bytes: neighbour, told: neighbour.byteLength !== byteLength };
  return [
    ...[
      flip('the magic', 3),
      flip('the format', 8),
      flip('the kind', 10),
      flip('the flags', 11),
      flip('the family', 20),
    ],
    ...[flip('the job', 40), flip('the salt', 60), flip('the commitment', 90)],
    ...[flip('the body', Math.min(500, byteLength >> 1)), flip('the last tag', -30), flip('the last byte', -1)],
    ...[cut(0), cut(1), cut(byteLength >> 1), cut(byteLength - 1)],
    { name: 'zeroed', bytes: new Uint8Array(byteLength), told: false },
    { name: 'deleted', bytes: undefined, told: true },
    ...(swapped ? [{ name: 'swapped with its neighbour', ...swapped }] : []),
  ];
}
