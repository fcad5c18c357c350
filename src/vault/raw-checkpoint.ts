import { isError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { HEADER_SIZE } from './codec/object-header.ts';
import { checkpointPath } from './log/checkpoint.ts';
import type { Store } from './open-store.ts';
import type { RawLog } from './raw-log.ts';
import { type CommonFacts, headerTrouble } from './raw-object.ts';
import { type Trouble, troubleOf, wrongBytes, wrongSize } from './trouble.ts';

export { checkpointPath } from './log/checkpoint.ts';

/** Header, sequence u64, hash of that entry 32, tag 16 (FORMAT.md). */
const LEAST = HEADER_SIZE + 8 + 32 + 16;

/**
 * What is in clear of a checkpoint; `misfit`: it tells of an entry that the log does not have so. A torn one is of no use
 * and no harm; undefined where nothing is wrong, or it is gone.
 */
export async function checkRawCheckpoint(
  store: Store,
  sequence: number,
  known: { log: RawLog; facts: CommonFacts | undefined },
): Promise<(Trouble & { misfit: boolean }) | undefined> {
  const path = checkpointPath(sequence);
  try {
    const size = await store.size(path);
    if (size === undefined) return undefined;
    if (size < LEAST) return { ...(await wrongSize(store, path, size)), misfit: false };
    const stored = await store.get(path);
    const trouble = headerTrouble(stored, 'checkpoint', path, known.facts);
    if (trouble) return { ...trouble, misfit: false };
    // A copy under another name, which opening passes over as it does a torn one.
    if (sequenceOf(stored) !== BigInt(sequence))
      return { ...wrongBytes('has another sequence than its name'), misfit: false };
    const misfit = misfitOf(stored, sequence, known.log);
    return misfit === undefined ? undefined : { ...wrongBytes(misfit), misfit: true };
  } catch (error) {
    return isError(error, 'NOT_FOUND') ? undefined : { ...troubleOf(error, path), misfit: false };
  }
}

function misfitOf(stored: Uint8Array, sequence: number, { last, hashes }: RawLog): string | undefined {
  if (sequence > last) return `tells of entry ${sequence}, while the log ends at ${last}`;
  const hash = hashes.get(sequence);
  if (!hash || equalBytes(hash, stored.subarray(HEADER_SIZE + 8, HEADER_SIZE + 40))) return undefined;
  return `tells of another entry ${sequence} than the one that is there`;
}

function sequenceOf(stored: Uint8Array): bigint {
  return Buffer.from(stored.buffer, stored.byteOffset).readBigUInt64LE(HEADER_SIZE);
}
