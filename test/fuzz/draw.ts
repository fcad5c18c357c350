/** Randomness that can be had again: the same seed and number give the same draws on every machine. */
export interface Draw {
  /** A whole number from 0 to below `end`. */
  below(end: number): number;
  /** One of these. */
  one<T>(of: readonly T[]): T;
  /** True so many times in a hundred. */
  percent(chance: number): boolean;
  bytes(length: number): Buffer;
}

export function drawOf(seed: number, n: number): Draw {
  let state = (Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35)) >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  const below = (end: number): number => Math.floor((next() / 2 ** 32) * end);
  return {
    below,
    one: (of) => of[below(of.length)]!,
    percent: (chance) => below(100) < chance,
    bytes: (length) => Buffer.from(Uint8Array.from({ length }, () => below(256))),
  };
}
