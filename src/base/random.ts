import { randomBytes } from 'node:crypto';

/** Randomness, injectable. Production code must get it from the operating system. */
export interface Random {
  /** So many new random bytes. */
  bytes(length: number): Uint8Array;
}

/** The operating system's. */
export const systemRandom: Random = { bytes: (length) => randomBytes(length) };
