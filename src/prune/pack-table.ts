import type { SegmentPack } from '../vault/block-index.ts';
import type { VaultState } from '../vault/vault.ts';

/** A pack that a live segment lists, and what a mark found out of it. */
export interface PackFacts {
  readonly name: string;
  /** Of the file, in bytes. */
  readonly size: number;
  readonly frames: number;
  /** Its first bit in the two sets of frames. */
  readonly start: number;
  /** quarantined: it serves reads only, but for its bad frames. condemned: it serves nothing any more. */
  readonly status: 'usable' | 'quarantined' | 'condemned';
  readonly badFrames: ReadonlySet<number> | 'all';
  /** It holds pages of block maps, not blocks of disks. */
  holdsPages: boolean;
  /** Frames that points need and that are kept here, and their stored bytes. */
  kept: number;
  keptBytes: number;
  /** Frames that points need and that are kept in another pack. */
  doubled: number;
}

const NONE: ReadonlySet<number> = new Set();

/** The packs of the live segments, the oldest first, with two bits for each of their frames. */
export class PackTable {
  readonly packs: PackFacts[] = [];
  readonly #numbers = new Map<string, number>();
  #frames = 0;
  #kept = new Uint8Array(0);
  #doubled = new Uint8Array(0);

  numberOf(name: string): number | undefined {
    return this.#numbers.get(name);
  }

  /** Number of the pack; one that was not known is added. */
  add({ name, size, frames }: SegmentPack, state: Pick<VaultState, 'condemned' | 'quarantined'>): number {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    const quarantine = state.quarantined.get(name)?.frames;
    const badFrames = quarantine === undefined ? NONE : quarantine === 'all' ? quarantine : new Set(quarantine);
    const status = state.condemned.has(name) ? 'condemned' : quarantine === undefined ? 'usable' : 'quarantined';
    const number = this.packs.length;
    const facts = { name, size, frames, start: this.#frames, status, badFrames, holdsPages: false } as const;
    this.packs.push({ ...facts, kept: 0, keptBytes: 0, doubled: 0 });
    this.#numbers.set(name, number);
    this.#frames += frames;
    return number;
  }

  /** All packs are known: from now on frames are counted. */
  complete(): void {
    this.#kept = new Uint8Array(Math.ceil(this.#frames / 8));
    this.#doubled = new Uint8Array(Math.ceil(this.#frames / 8));
  }

  /** Whether a block can be read from a frame, as far as the log tells. */
  serves(number: number, frame: number): boolean {
    const { status, badFrames } = this.packs[number] as PackFacts;
    if (status !== 'quarantined') return status === 'usable';
    return badFrames !== 'all' && !badFrames.has(frame);
  }

  isUsable(number: number): boolean {
    return (this.packs[number] as PackFacts).status === 'usable';
  }

  keep(number: number, frame: number, bytes: number): void {
    const pack = this.packs[number] as PackFacts;
    if (!setBit(this.#kept, pack.start + frame)) return;
    pack.kept++;
    pack.keptBytes += bytes;
  }

  double(number: number, frame: number): void {
    const pack = this.packs[number] as PackFacts;
    if (setBit(this.#doubled, pack.start + frame)) pack.doubled++;
  }

  isKept(number: number, frame: number): boolean {
    return hasBit(this.#kept, (this.packs[number] as PackFacts).start + frame);
  }

  isDoubled(number: number, frame: number): boolean {
    return hasBit(this.#doubled, (this.packs[number] as PackFacts).start + frame);
  }
}

/** True when it was not set before. */
export function setBit(bits: Uint8Array, n: number): boolean {
  const [at, mask] = [n >>> 3, 1 << (n & 7)];
  if (((bits[at] as number) & mask) !== 0) return false;
  bits[at] = (bits[at] as number) | mask;
  return true;
}

export function hasBit(bits: Uint8Array, n: number): boolean {
  return ((bits[n >>> 3] as number) & (1 << (n & 7))) !== 0;
}
