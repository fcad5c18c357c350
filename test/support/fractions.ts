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

/** One of each of so many parts of equal length, in their order: neighbours are alike. */
export function oneOfEach<T>(all: readonly T[], parts: number, random: () => number): T[] {
  return Array.from({ length: parts }, (_, n) => {
    const [from, to] = [n, n + 1].map((part) => Math.round((part * all.length) / parts)) as [number, number];
    return all[from + Math.floor(random() * (to - from))] as T;
  });
}
