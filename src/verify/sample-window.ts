/** Positions in the space of names: 48 bits of a hash, a whole number that a double holds exactly. */
const SPACE = 2 ** 48;
const DIGITS = 12;

/** Where a sample begins, and where the next one goes on. */
export interface SampleWindow {
  start: number;
  /** At most SPACE. */
  width: number;
}

/**
 * The part of the name space that a sample of so many percent reads: from `start` on, round the end. Names are hashes, so
 * a share of the space is a share of the packs, also of those that come and go between two samples. A window without any
 * pack reaches to the next one: a sample reads something.
 */
export function sampleWindow(names: readonly string[], start: number, percent: number): SampleWindow {
  const width = Math.min(SPACE, Math.ceil((percent / 100) * SPACE));
  const nearest = names.reduce((least, name) => Math.min(least, distance(name, start)), SPACE - 1);
  return { start, width: Math.max(width, nearest + 1) };
}

export function isInWindow(name: string, { start, width }: SampleWindow): boolean {
  return distance(name, start) < width;
}

export function endOf({ start, width }: SampleWindow): number {
  return (start + width) % SPACE;
}

/** How many samples read everything once. */
export function runsForAll(percent: number): number {
  return Math.ceil(100 / percent);
}

/** A position, as a share of the space. */
export function shareOfSpace(position: number): number {
  return position / SPACE;
}

export function isPosition(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < SPACE;
}

/** Position that six random bytes tell. */
export function positionOf(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUIntBE(0, DIGITS / 2);
}

/** How far behind `start` a name lies, round the end. */
function distance(name: string, start: number): number {
  return (Number.parseInt(name.slice(0, DIGITS), 16) - start + SPACE) % SPACE;
}
