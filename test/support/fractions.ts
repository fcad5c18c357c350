/** Numbers from 0 to 1, the same for the same seed. */
export function fractions(seed: number): () => number {
  let n = seed >>> 0;
  return () => {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    return n / 2 ** 32;
  };
}

/** So many of them, in no order. */
export function chosen<T>(all: readonly T[], count: number, random: () => number): T[] {
  const ordered = all.map((one) => ({ one, at: random() })).toSorted((a, b) => a.at - b.at);
  return ordered.slice(0, count).map(({ one }) => one);
}
