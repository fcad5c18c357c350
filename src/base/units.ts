export const SECTOR = 512;
export const KIB = 1024;
export const MIB: number = 1024 * KIB;
export const GIB: number = 1024 * MIB;
export const TIB: number = 1024 * GIB;
/** Milliseconds. */
export const HOUR: number = 3600 * 1000;
export const DAY: number = 24 * HOUR;

/** The least multiple of `unit` that is not below `n`. */
export function roundUp(n: number, unit: number): number {
  return Math.ceil(n / unit) * unit;
}

/** Narrows a 64-bit field at the parse edge: numbers beyond 2^53 - 1 are undefined. */
export function narrow(n: bigint): number | undefined {
  return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : undefined;
}
