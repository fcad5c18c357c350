import { GIB, MIB } from '../base/units.ts';

/**
 * Bytes that an object named by the hash of its bytes may have (FORMAT.md). What is longer is damaged whatever it holds:
 * nobody reads it to its end.
 */
export const LARGEST: Readonly<Record<'pack' | 'segment' | 'list', number>> = {
  pack: 128 * MIB,
  segment: 2 * GIB,
  list: 128 * MIB,
};

/** Bytes. A longer one is neither read nor written. */
export const LARGEST_CHECKPOINT: number = 128 * MIB;
