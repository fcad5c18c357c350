import { randomBytes } from 'node:crypto';

/** Randomness, injectable. Production code must get it from the operating system. */
export interface Random {
  bytes(length: number): Uint8Array;
}

export const systemRandom: Random = { bytes: (length) => randomBytes(length) };
