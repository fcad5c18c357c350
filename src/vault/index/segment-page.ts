import { ENTRY_SIZE, type SegmentEntry } from './segment-layout.ts';

const ID_BYTES = 32;

/** Entries of one page of a segment, read in place: 20 million of them as objects would take minutes. */
export class SegmentPage {
  /** As the segment holds it, unsealed. */
  readonly bytes: Uint8Array;
  /** How many entries it has. */
  readonly count: number;
  /** The same bytes; the id of an entry is at `at`. */
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.count = bytes.byteLength / ENTRY_SIZE;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Byte offset of an entry, which begins with its id. */
  at(n: number): number {
    return n * ENTRY_SIZE;
  }
  /** The first 32 bits of the id, in the order in which ids are sorted. */
  first(n: number): number {
    return this.view.getUint32(n * ENTRY_SIZE, false);
  }
  /** The next 32 bits. */
  second(n: number): number {
    return this.view.getUint32(n * ENTRY_SIZE + 4, false);
  }
  /** The id, in place. */
  id(n: number): Uint8Array {
    return this.bytes.subarray(n * ENTRY_SIZE, n * ENTRY_SIZE + ID_BYTES);
  }
  /** Ordinal of the pack in the segment. */
  pack(n: number): number {
    return this.view.getUint32(n * ENTRY_SIZE + 32, true);
  }
  offset(n: number): number {
    return this.view.getUint32(n * ENTRY_SIZE + 36, true);
  }
  storedLength(n: number): number {
    return this.view.getUint32(n * ENTRY_SIZE + 40, true);
  }
  /** Number of the frame in the pack. */
  ordinal(n: number): number {
    return this.view.getUint16(n * ENTRY_SIZE + 44, true);
  }
  codec(n: number): number {
    return this.view.getUint8(n * ENTRY_SIZE + 46);
  }
  kind(n: number): number {
    return this.view.getUint8(n * ENTRY_SIZE + 47);
  }
  setPack(n: number, pack: number): void {
    this.view.setUint32(n * ENTRY_SIZE + 32, pack, true);
  }
  entry(n: number): SegmentEntry {
    return {
      id: this.id(n),
      pack: this.pack(n),
      offset: this.offset(n),
      storedLength: this.storedLength(n),
      ordinal: this.ordinal(n),
      codec: this.codec(n),
      kind: this.kind(n),
    };
  }

  /** What is wrong with the order of the entries, or with the packs that they name; `before` is the page before this one. */
  trouble(before: SegmentPage | undefined, packs: number): string | undefined {
    for (let n = 0; n < this.count; n++) {
      if (this.pack(n) >= packs) return `names pack ${this.pack(n)} of ${packs}`;
      const isSorted =
        n > 0 ? isBelow(this, n - 1, this, n) : before === undefined || isBelow(before, before.count - 1, this, 0);
      if (!isSorted) return 'is not sorted';
    }
    return undefined;
  }
}

/** Order of the ids of two entries. */
export function compareIds(one: SegmentPage, a: number, other: SegmentPage, b: number): number {
  return one.first(a) - other.first(b) || one.second(a) - other.second(b) || Buffer.compare(one.id(a), other.id(b));
}

/** By id, then by pack: one block may lie in several. */
function isBelow(one: SegmentPage, a: number, other: SegmentPage, b: number): boolean {
  const order = compareIds(one, a, other, b);
  return order < 0 || (order === 0 && one.pack(a) < other.pack(b));
}
