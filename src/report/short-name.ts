/** Enough of a point's id to name it: unique among `ids`, and never shorter than `p` and seven digits. */
export function shortPoint(id: string, ids: Iterable<string> = []): string {
  let length = 8;
  for (const other of ids) {
    if (other === id) continue;
    while (length < id.length && other.startsWith(id.slice(0, length))) length++;
  }
  return id.slice(0, length);
}

/** The same of many ids at once: comparing each of 10,000 with all others takes seconds, with its neighbours in order it does not. */
export function shortPoints(ids: readonly string[]): (id: string) => string {
  const sorted = [...new Set(ids)].sort();
  const short = new Map(sorted.map((id, n) => [id, shortPoint(id, sorted.slice(Math.max(0, n - 1), n + 2))]));
  return (id) => short.get(id) ?? id;
}

/** `vhd-dynamic` -> `dynamic`: everybody knows that it is a VHD. */
export function shortFormat(format: string): string {
  return format.replace(/^vhd-/, '');
}
