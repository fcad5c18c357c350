/** Enough of a point's id to name it: unique among `ids`, and never shorter than `p` and seven digits. */
export function shortPoint(id: string, ids: Iterable<string> = []): string {
  let length = 8;
  for (const other of ids) {
    if (other === id) continue;
    while (length < id.length && other.startsWith(id.slice(0, length))) length++;
  }
  return id.slice(0, length);
}

/** `vhd-dynamic` -> `dynamic`: everybody knows that it is a VHD. */
export function shortFormat(format: string): string {
  return format.replace(/^vhd-/, '');
}
