import { sha256 } from '@noble/hashes/sha2.js';
import { type Clock, systemClock } from '../base/clock.ts';
import { isError, isUnread, VhdvaultError } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type Random, systemRandom } from '../base/random.ts';
import { TOOL } from '../base/version.ts';
import { CONFIG_PATH, parseConfig, type VaultConfig } from './config.ts';
import { blake3 } from './crypto/blake3.ts';
import { constantKey, type VaultKeys } from './crypto/keys.ts';
import type { SecretBytes } from './crypto/slot.ts';
import type { Adds, EntryBody, LogEntry } from './log/entry.ts';
import { Log } from './log/log.ts';
import { VERBS, type Verb } from './log/replay.ts';
import type { VaultState } from './log/state.ts';
import { placeOf, type Store } from './open-store.ts';
import { readOn } from './read-on.ts';
import { unlock } from './unlock.ts';

export type { VaultKeys } from './crypto/keys.ts';
export type { KdfCost, SecretBytes } from './crypto/slot.ts';
export { removeOldCheckpoints } from './log/checkpoint.ts';
export type { Adds, EntryBody, Slot } from './log/entry.ts';
export {
  hashOf as entryHash,
  isAuthentic as isAuthenticEntry,
  logPath as logEntryPath,
  previousOf as previousOfEntry,
} from './log/entry.ts';
export { MOST_PACKS } from './log/entry-body.ts';
export { FOR_EVER, isLive, isPinned, isSpared, leastAge } from './log/liveness.ts';
export { VERBS } from './log/replay.ts';
export { sequenceName, sequencesIn } from './log/sequence.ts';
export type { AddedSegment, LoggedPoint, VaultState } from './log/state.ts';
export { writingPath } from './log/without-links.ts';

/** Packs that are condemned or quarantined (J3): nothing new may refer to what is in them. */
export function unusablePacks({ condemned, quarantined }: VaultState): string[] {
  return [...new Set([...condemned.keys(), ...quarantined.keys()])];
}

interface VaultParts {
  store: Store;
  config: VaultConfig;
  keys: VaultKeys;
  random: Random;
  clock: Clock;
  log: Log;
  slot?: string;
}

/** An open vault: its constants, its keys, and the state that its log tells. */
export class Vault {
  readonly store: Store;
  readonly config: VaultConfig;
  readonly keys: VaultKeys;
  readonly random: Random;
  readonly clock: Clock;
  /** Name of the key slot that opened it, or that took its place since; undefined where it is not encrypted. */
  slot: string | undefined;
  readonly #parts: VaultParts;

  /** Use `openVault`. */
  constructor(parts: VaultParts) {
    this.store = parts.store;
    this.config = parts.config;
    this.keys = parts.keys;
    this.random = parts.random;
    this.clock = parts.clock;
    this.slot = parts.slot;
    this.#parts = parts;
  }

  /** Its state may lack what damaged entries tell: nothing may be written by it, and no cache made of it. */
  get isReader(): boolean {
    return false;
  }

  /** Hex. */
  get id(): string {
    return toHex(this.config.id);
  }
  get state(): VaultState {
    return this.#parts.log.state;
  }
  /** An entry of the log is damaged: the state is the one before it, and writing stops. */
  get damage(): VhdvaultError | undefined {
    return this.#parts.log.damage;
  }

  /** Marks the entries of this client: its clock is not to be trusted (L7). */
  doubtClock(): void {
    this.#parts.log.clockDoubted = true;
  }

  /** The newest entry that was read, whoever wrote it, is there after a power cut, too. */
  makeDurable(): Promise<void> {
    return this.#parts.log.makeDurable();
  }

  /**
   * Replays what other processes committed since. Where an entry is damaged, `damage` tells.
   * @throws IO, NO_PERMISSION where one cannot be read: what is decided by the state before it may be wrong in the next moment
   */
  async refresh(): Promise<void> {
    await this.catchUp();
    if (isUnread(this.damage)) throw this.damage;
  }

  /** As `refresh`, for who decides by the state what is written or given up. @throws VAULT_DAMAGED, IO, NO_PERMISSION */
  async refreshWhole(): Promise<void> {
    await this.refresh();
    if (this.damage) throw this.damage;
  }

  /** As `refresh`, for who goes on behind what cannot be read: `damage` tells of that, too. */
  async catchUp(): Promise<void> {
    await this.#parts.log.refresh();
  }

  /** The same vault for who only reads: where the log is damaged, its state is what all other entries tell. @throws IO */
  async forReading(): Promise<Vault> {
    return this.damage ? await openReader(this.#parts) : this;
  }

  /** Hash of an entry; undefined where the log does not go so far, or cannot be read back to it. */
  hashAt(sequence: number): Promise<Uint8Array | undefined> {
    return this.#parts.log.hashAt(sequence);
  }

  /**
   * Commits one entry. `decide` is asked for it with the state at n-1, again after each lost race; null: nothing is left
   * to be done. Without `folder` it is written in staging/ itself: a command that stores nothing needs no place of its own.
   * @throws VAULT_DAMAGED, OUTCOME_UNKNOWN, and what `decide` throws
   */
  commit<Body extends EntryBody | null>(
    decide: (state: VaultState) => Body | Promise<Body>,
    { job = toHex(this.random.bytes(16)), folder = 'staging' }: { job?: string; folder?: string } = {},
  ): Promise<LogEntry | Extract<Body, null>> {
    return this.#parts.log.commit(job, folder, decide);
  }

  /** Opens a job: from now on its packs may enter packs/ (J1). `folder` is its staging location. */
  async openJob(job: string, folder: string, verb: Verb = 'backup'): Promise<void> {
    await this.#parts.log.commit(job, folder, (state) => {
      if (state.jobs.has(job)) throw jobClosed(job);
      return { type: 'open', verb: VERBS[verb] };
    });
  }

  /**
   * Commits a recovery point by rule J4: the job must be open still where the point adds packs, and `check` holds the
   * rest again at every attempt. Null: what the point would refer to is not there any more.
   * @throws JOB_CLOSED when somebody abandoned the job or made its point: none of its packs may be used
   */
  commitPoint(options: {
    job: string;
    folder: string;
    point: string;
    adds: Adds[];
    /** Asked at every attempt, with the state at n-1; null to give up, may throw. */
    manifest: (state: VaultState) => Promise<Uint8Array | null>;
  }): Promise<LogEntry | null> {
    const { job, folder, point, adds } = options;
    return this.#parts.log.commit(job, folder, async (state): Promise<EntryBody | null> => {
      if (adds.length > 0 ? state.jobs.get(job) !== 'open' : state.jobs.get(job) === 'closed') throw jobClosed(job);
      const manifest = await options.manifest(state);
      return manifest && { type: 'point', point, adds, manifest };
    });
  }

  /** Tells what became known of a point after it was made. Older versions pass it over. */
  async labelPoint(options: { job: string; folder: string; point: string; label: Uint8Array }): Promise<void> {
    const { job, folder, point, label } = options;
    await this.#parts.log.commit(job, folder, (): EntryBody => ({ type: 'label', point, label }));
  }

  /** Closes a job that looks dead: a guess that costs a re-upload if it is wrong, never data. */
  async abandonJob(own: string, folder: string, dead: string): Promise<void> {
    if (this.state.jobs.get(dead) !== 'open') return;
    await this.#parts.log.commit(own, folder, ({ jobs }) =>
      jobs.get(dead) === 'open' ? { type: 'abandon', job: dead } : null,
    );
  }

  /** A name for files that tells nothing: keyed hash, 32 hex digits. */
  nameHash(...words: string[]): string {
    const bytes = new TextEncoder().encode(JSON.stringify(words));
    return toHex(blake3(bytes, constantKey(this.keys, 'name')).subarray(0, 16));
  }
}

/** Behind damage. */
class Reader extends Vault {
  #behind: VaultState | undefined;

  override get isReader(): boolean {
    return true;
  }
  override get state(): VaultState {
    return this.#behind ?? super.state;
  }
  override refresh(): Promise<void> {
    return this.catchUp();
  }
  override async catchUp(): Promise<void> {
    await super.catchUp();
    this.#behind = this.damage && (await readOn(this, super.state));
  }
}

async function openReader(parts: VaultParts): Promise<Vault> {
  const reader = new Reader(parts);
  await reader.refresh();
  return reader;
}

export interface OpenVaultOptions {
  secret?: SecretBytes;
  random?: Random;
  clock?: Clock;
  /** Called when this thread waits for a key to be derived from the secret, for each slot. */
  meanwhile?: () => void;
}

/**
 * Opens a vault and replays its log. Writes nothing.
 * @throws VAULT_MISSING, VAULT_NEWER, VAULT_DAMAGED, VAULT_KEY_MISSING, VAULT_KEY_WRONG, VAULT_KEY_REFUSED
 */
export async function openVault(store: Store, options: OpenVaultOptions = {}): Promise<Vault> {
  const { secret, random = systemRandom, clock = systemClock, meanwhile } = options;
  const stored = await store.get(CONFIG_PATH).catch(async (error: unknown) => {
    throw isError(error, 'NOT_FOUND') ? await missing(store) : error;
  });
  const config = parseConfig(stored);
  const vaultHash = sha256(stored);
  return await unlock({ store, config, vaultHash, meanwhile }, secret, async (keys, slot) => {
    const log = new Log({ store, keys, random, clock, tool: TOOL, singleWriter: config.singleWriter }, vaultHash);
    await log.refresh();
    // Behind damage nobody knows which slots are listed: who can read may read, and cannot write.
    if (slot && !log.damage && !log.state.slots.some(({ name, hash }) => name === slot.name && hash === slot.hash))
      throw unlisted(slot.name);
    return new Vault({ store, config, keys, random, clock, log, ...(slot && { slot: slot.name }) });
  });
}

/** An old key slot that was put back, or the file of one that could not be removed (E4). */
function unlisted(name: string): VhdvaultError {
  return new VhdvaultError(
    'VAULT_KEY_WRONG',
    `this passphrase or key file opens keys/${name} only, which is no key slot of this vault any more`,
    {
      hint: 'use a current one; if nobody removed this slot, find out who changed the vault',
      details: { path: `keys/${name}` },
    },
  );
}

async function missing(store: Store): Promise<VhdvaultError> {
  const path = placeOf(store);
  const entries = await store.list('log').catch(() => []);
  return new VhdvaultError('VAULT_MISSING', `there is no vault at ${path}`, {
    hint:
      entries.length > 0
        ? 'this is a vault that lost its vault.json: bring that file back from another copy of it'
        : 'check the address, or make one with `vhdvault init`',
    details: { path },
  });
}

export function jobClosed(job: string): VhdvaultError {
  return new VhdvaultError('JOB_CLOSED', `job ${job} was closed by another run`, {
    hint: 'run the backup again; nothing that was saved before is lost',
    details: { job },
  });
}
