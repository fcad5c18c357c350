/*
 * Which ids the job's overlay may hold: a Bloom filter in memory that all workers of a run share. "No" is sure and costs
 * nothing; "perhaps" sends the caller to the overlay, where a look-up is a read transaction of SQLite beside writers. 4 MiB tell
 * a million ids apart (128 GiB at 128 KiB) with one wrong "perhaps" in thousands; with ten million one in four is wrong, which
 * costs time only.
 */
const BITS = 2 ** 25;
/** Ids are hashes: four of their words are as good as four hash functions. */
const PROBES = [4, 8, 12, 16];

export type IdFilter = Int32Array;

export function createIdFilter(): IdFilter {
  return new Int32Array(new SharedArrayBuffer(BITS / 8));
}

/** To be told before the id leaves the claims, so that nobody misses it. */
export function addId(filter: IdFilter, id: Uint8Array): void {
  for (const probe of PROBES) {
    const bit = bitAt(id, probe);
    Atomics.or(filter, bit >>> 5, 1 << (bit & 31));
  }
}

export function mayHoldId(filter: IdFilter, id: Uint8Array): boolean {
  return PROBES.every((probe) => {
    const bit = bitAt(id, probe);
    return (Atomics.load(filter, bit >>> 5) & (1 << (bit & 31))) !== 0;
  });
}

function bitAt(id: Uint8Array, at: number): number {
  return (
    (((id[at] as number) << 24) |
      ((id[at + 1] as number) << 16) |
      ((id[at + 2] as number) << 8) |
      (id[at + 3] as number)) &
    (BITS - 1)
  );
}
