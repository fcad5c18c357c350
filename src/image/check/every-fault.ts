import { isError, type VhdvaultError } from '../../base/errors.ts';

/** A structure with all that is wrong with it. */
export interface Faulty<T> {
  /** Null where nothing can be made of it. In the fields at `guessed` stands anything. */
  value: T | null;
  faults: readonly VhdvaultError[];
  /** Offsets of fields in the structure. */
  guessed: ReadonlySet<number>;
}

/**
 * Parses a structure and goes on after each fault, in a copy in which that one is mended: so what is called damage is what
 * opening refuses, in its own words. `mend` makes the field at an offset pass, and the checksum too; false when it cannot.
 */
export function everyFault<T>(
  bytes: Uint8Array,
  at: number,
  parse: (bytes: Uint8Array) => T,
  mend: (copy: Uint8Array, field: number) => boolean,
): Faulty<T> {
  const copy = Uint8Array.from(bytes);
  const faults: VhdvaultError[] = [];
  const guessed = new Set<number>();
  for (;;) {
    try {
      return { value: parse(copy), faults, guessed };
    } catch (error) {
      if (!isError(error)) throw error;
      faults.push(error);
      const field = Number(error.details.offset) - at;
      // The same one again: mending did not help.
      if (guessed.has(field) || !mend(copy, field)) return { value: null, faults, guessed };
      guessed.add(field);
    }
  }
}
