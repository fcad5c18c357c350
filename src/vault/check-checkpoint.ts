import { isDeepStrictEqual } from 'node:util';
import { isError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import type { LogCheck } from './check-log.ts';
import { checkpointPath, decodeCheckpoint } from './log/checkpoint.ts';
import type { VaultState } from './log/state.ts';
import { type Trouble, troubleOf, wrongSize } from './trouble.ts';
import type { Vault } from './vault.ts';

/** A checkpoint as it was found: the state that it tells of, or why it is of no use. */
export interface FoundCheckpoint {
  sequence: number;
  path: string;
  state: VaultState | undefined;
  trouble: Trouble | undefined;
}

/** undefined where it is gone: newer ones take its place. */
export async function readCheckpoint({ store, keys }: Vault, sequence: number): Promise<FoundCheckpoint | undefined> {
  const path = checkpointPath(sequence);
  try {
    const size = await store.size(path);
    if (size === undefined) return undefined;
    if (size === 0) return { sequence, path, state: undefined, trouble: await wrongSize(store, path, 0) };
    const state = decodeCheckpoint(keys, await store.get(path), sequence);
    return { sequence, path, state, trouble: undefined };
  } catch (error) {
    if (isError(error, 'NOT_FOUND')) return undefined;
    return { sequence, path, state: undefined, trouble: troubleOf(error, path) };
  }
}

/** Whether an authentic checkpoint tells of the entry that is there; undefined where it does, or where that entry is in question itself. */
export function fitsLog({ sequence, state }: FoundCheckpoint, log: LogCheck): string | undefined {
  if (!state) return undefined;
  if (sequence > log.last) return `tells of entry ${sequence}, while the log ends at ${log.last}: it was cut`;
  const hash = log.hashes.get(sequence);
  if (!hash || equalBytes(hash, state.head)) return undefined;
  return `tells of another entry ${sequence} than the one that is there: the log was replaced`;
}

/** What a checkpoint tells and what the log comes to; of hashes it tells some. */
export function tellsTheSame(told: VaultState, log: VaultState): boolean {
  const areHashesRight = [...told.hashes].every(([n, hash]) => isDeepStrictEqual(hash, log.hashes.get(n)));
  return areHashesRight && isDeepStrictEqual({ ...told, hashes: null }, { ...log, hashes: null });
}
