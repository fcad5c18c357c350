import { sha256 } from '@noble/hashes/sha2.js';
import { isError } from '../base/errors.ts';
import { encodeConfig } from './config.ts';
import { decodeEntry, hashOf, logPath, previousOf } from './log/entry.ts';
import { applyEntry } from './log/replay.ts';
import { emptyState, type VaultState } from './log/state.ts';
import { readLog, type StoredEntry } from './read-log.ts';
import { type Trouble, troubleOf } from './trouble.ts';
import type { Vault } from './vault.ts';

/** What is wrong with one entry, or with several that are missing together. */
export interface LogTrouble extends Trouble {
  path: string;
}

export interface LogCheck {
  /** How many were read, good or bad. */
  entries: number;
  troubles: LogTrouble[];
  /** Hash of entry n at n; where entry n cannot be read, as the next one tells it. */
  hashes: Map<number, Uint8Array>;
  /** Highest number that is there. */
  last: number;
}

interface Replay extends LogCheck {
  vault: Vault;
  /** Of the entry before; undefined behind what is wrong: there the next entry is believed. */
  previous: Uint8Array | undefined;
  /** undefined behind what is wrong. */
  state: VaultState | undefined;
  onState: ((state: VaultState) => void) | undefined;
}

/**
 * Reads, opens and chains every entry from the first one on, whatever opening the vault began with; goes on behind what is
 * wrong. `onState` sees the state after each entry, as long as nothing is wrong.
 * @throws VAULT_NEWER, CANCELLED
 */
export async function checkLog(
  vault: Vault,
  options: { signal?: AbortSignal | undefined; onState?: (state: VaultState) => void } = {},
): Promise<LogCheck> {
  const vaultHash = sha256(encodeConfig(vault.config));
  const replay: Replay = {
    ...{ vault, previous: vaultHash, state: emptyState(vaultHash), onState: options.onState },
    ...{ entries: 0, troubles: [], hashes: new Map(), last: 0 },
  };
  for await (const found of readLog(vault.store, { signal: options.signal })) checkEntry(replay, found);
  const { entries, troubles, hashes, last } = replay;
  return { entries, troubles, hashes, last };
}

function checkEntry(replay: Replay, found: StoredEntry): void {
  const { vault, previous, hashes, state, onState } = replay;
  const { sequence } = found;
  const path = logPath(sequence);
  replay.last = found.trouble ? found.until : sequence;
  if (found.trouble) {
    stumble(replay, { ...found.trouble, path });
    return;
  }
  replay.entries++;
  const { stored } = found;
  try {
    const entry = decodeEntry(vault.keys, stored, sequence, previous ?? previousOf(stored));
    const head = hashOf(stored);
    if (previous === undefined) hashes.set(sequence - 1, previousOf(stored));
    hashes.set(sequence, head);
    replay.previous = head;
    if (state) {
      applyEntry(state, entry, head);
      onState?.(state);
    }
  } catch (error) {
    // Of a type that this version does not know: it cannot tell what the vault needs.
    if (isError(error, 'VAULT_NEWER')) throw error;
    stumble(replay, { ...troubleOf(error, path), path });
  }
}

function stumble(replay: Replay, trouble: LogTrouble): void {
  replay.troubles.push(trouble);
  replay.previous = undefined;
  replay.state = undefined;
}
