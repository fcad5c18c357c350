import type { Clock } from '../../base/clock.ts';
import { absent, isError, isUnread, VhdvaultError } from '../../base/errors.ts';
import { equalBytes, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { damaged } from '../codec/object-header.ts';
import type { VaultKeys } from '../crypto/keys.ts';
import { LARGEST_CHECKPOINT } from '../largest-object.ts';
import type { Store } from '../store/store.ts';
import { checkpointPath, decodeCheckpoint, EVERY, encodeCheckpoint, removeOldCheckpoints } from './checkpoint.ts';
import {
  decodeEntry,
  type EntryBody,
  encodeEntry,
  hashOf,
  isAuthentic,
  type LogEntry,
  logPath,
  nonceOf,
  previousOf,
} from './entry.ts';
import { applyEntry } from './replay.ts';
import { sequencesIn } from './sequence.ts';
import { emptyState, type VaultState } from './state.ts';
import { createInPlace, isUnfinished, notSure } from './without-links.ts';

export interface LogOptions {
  store: Store;
  keys: VaultKeys;
  random: Random;
  clock: Clock;
  tool: string;
  singleWriter: boolean;
}

/** The vault's one linear history: replay it, and add to it by one atomic create (L1-L4). */
export class Log {
  #state: VaultState;
  /** An entry that is there and unreadable, or a gap: the state is the one before it, and writers stop (L6). */
  damage: VhdvaultError | undefined;
  /** Entries written from now on say that their clock is not to be trusted (L7). */
  clockDoubted = false;
  readonly #options: LogOptions;
  #durable = 0;
  /** Of the checkpoint that opening began at, or that was written last. */
  #checkpoint = 0;
  /** A listing showed nothing beyond the newest entry; until then each refresh lists. */
  #isWhole = false;
  /** An authentic checkpoint beyond the log, or of another history: somebody cut or replaced the log (L4). */
  #cut: { by: string; damage: VhdvaultError } | undefined;

  constructor(options: LogOptions, vaultHash: Uint8Array) {
    this.#options = options;
    this.#state = emptyState(vaultHash);
  }

  get state(): VaultState {
    return this.#state;
  }

  /**
   * Replays what came since; returns how many entries.
   * @throws VAULT_NEWER
   */
  async refresh(): Promise<number> {
    const { store } = this.#options;
    const before = this.state.sequence;
    let damage: VhdvaultError | undefined;
    if (before === 0) await this.#beginAtCheckpoint();
    for (;;) {
      const next = this.state.sequence + 1;
      const stored = await this.#read(next);
      // Another call replayed it meanwhile.
      if (this.state.sequence >= next) continue;
      if (stored === UNFINISHED) break;
      damage = stored instanceof VhdvaultError ? unreadEntry(next, stored) : stored && this.#apply(stored);
      if (damage) break;
      if (stored) continue;
      damage = await this.#findGap();
      break;
    }
    // A repair moves what tells of it.
    if (this.#cut && (await store.size(this.#cut.by).catch(() => 0)) === undefined) this.#cut = undefined;
    this.damage = damage ?? this.#cut?.damage;
    return this.state.sequence - before;
  }

  async #read(sequence: number): Promise<Uint8Array | VhdvaultError | typeof UNFINISHED | undefined> {
    const { store, singleWriter } = this.#options;
    const stored = await store.get(logPath(sequence)).catch(absentOrUnread);
    if (!singleWriter || !(stored instanceof Uint8Array)) return stored;
    if (await isUnfinished(this.#options, sequence, stored)) return UNFINISHED;
    // It was read while it was being written, perhaps, and is done by now.
    return await store.get(logPath(sequence)).catch(absentOrUnread);
  }

  /**
   * Hash of an entry, found by going back along the chain from the next one whose hash is known; undefined where the log
   * does not go so far, or cannot be read.
   */
  async hashAt(sequence: number): Promise<Uint8Array | undefined> {
    const { hashes } = this.state;
    // It may come from a damaged cache.
    if (!Number.isSafeInteger(sequence) || sequence < 0 || sequence > this.state.sequence) return undefined;
    let at = sequence;
    while (!hashes.has(at)) at++;
    for (; at > sequence; at--) {
      const stored = await this.#options.store.get(logPath(at)).catch(absentOrUnread);
      if (!(stored instanceof Uint8Array && equalBytes(hashOf(stored), hashes.get(at) as Uint8Array))) return undefined;
      hashes.set(at - 1, previousOf(stored));
    }
    return hashes.get(sequence);
  }

  /**
   * Commits one entry at the next number. `decide` is asked for the body with the state at n-1, and asked again after
   * each lost race; it may throw to give up, or answer null when nothing is left to commit.
   * @throws VAULT_DAMAGED (nothing is committed beside damage); OUTCOME_UNKNOWN when the entry may or may not last
   */
  async commit<Body extends EntryBody | null>(
    job: string,
    folder: string,
    decide: (state: VaultState) => Body | Promise<Body>,
  ): Promise<LogEntry | Extract<Body, null>> {
    for (;;) {
      await this.refresh();
      if (this.damage) throw this.damage;
      await this.#checkHead();
      await this.makeDurable();
      const at = this.state.sequence;
      const body = await decide(this.state);
      // What was decided must have been decided with n-1 in sight.
      if (this.state.sequence !== at) continue;
      if (body === null) return null as Extract<Body, null>;
      const { clock, tool } = this.#options;
      const time = Math.max(clock.now(), this.state.time);
      const entry: LogEntry = {
        sequence: this.state.sequence + 1,
        job,
        time,
        tool,
        clockDoubted: this.clockDoubted,
        body,
      };
      if (!(await this.#create(entry, folder))) continue;
      await this.#writeCheckpoint(folder).catch(() => undefined);
      return entry;
    }
  }

  /** The listing only proposes; a checkpoint counts if it opens, and its entry has, or the next one tells, its hash. */
  async #beginAtCheckpoint(): Promise<void> {
    const { store, keys } = this.#options;
    for (const sequence of await this.#checkpoints()) {
      try {
        const state = decodeCheckpoint(keys, await store.get(checkpointPath(sequence)), sequence);
        const stored = await store.get(logPath(sequence)).catch(absent);
        if ((stored && equalBytes(hashOf(stored), state.head)) || (await this.#isFollowed(state))) {
          this.#state = state;
          this.#checkpoint = sequence;
          return;
        }
        const what = stored
          ? 'is not the one that its checkpoint tells of'
          : 'is missing while its checkpoint is there';
        this.#cut = { by: checkpointPath(sequence), damage: damaged(logPath(sequence), what) };
      } catch (error) {
        if (!isError(error, 'VAULT_DAMAGED', 'VAULT_NEWER', 'NOT_FOUND', 'NO_PERMISSION', 'IO')) throw error;
      }
    }
  }

  /** Its entry is damaged, and the next one tells its hash. */
  async #isFollowed({ sequence, head }: VaultState): Promise<boolean> {
    const { store, keys } = this.#options;
    const next = await store.get(logPath(sequence + 1)).catch(absent);
    return next !== undefined && isAuthentic(keys, next, sequence + 1) && equalBytes(previousOf(next), head);
  }

  /** Newest first. */
  async #checkpoints(): Promise<number[]> {
    return sequencesIn(await this.#options.store.list('ckpt').catch(() => [])).reverse();
  }

  /** After the commit, and never in its way: who has no checkpoint reads more of the log. */
  async #writeCheckpoint(folder: string): Promise<void> {
    const { store, keys, random } = this.#options;
    const { sequence } = this.state;
    if (sequence - this.#checkpoint < EVERY) return;
    this.#checkpoint = sequence;
    const checkpoint = encodeCheckpoint(keys, random, this.state);
    // Nobody would read it: who opens the vault reads the log from an older one on.
    if (checkpoint.byteLength > LARGEST_CHECKPOINT) return;
    const part = `${folder}/checkpoint-${toHex(random.bytes(4))}`;
    try {
      await using file = await store.create(part);
      await file.write([checkpoint]);
      await store.rename(part, checkpointPath(sequence));
    } catch (error) {
      await store.remove(part);
      throw error;
    }
    await removeOldCheckpoints(store);
  }

  /** A history that went back while we ran must not be built on: the gap would hide what follows (L4). */
  async #checkHead(): Promise<void> {
    const { sequence, head } = this.state;
    const stored = sequence > 0 ? await this.#options.store.get(logPath(sequence)).catch(absent) : undefined;
    if (sequence === 0 || (stored && equalBytes(hashOf(stored), head))) return;
    throw new VhdvaultError(
      'VAULT_ROLLED_BACK',
      `the vault's history went back or was changed while this run was at entry ${sequence}`,
      {
        hint: 'nothing was added to it; find out who put an older copy of the vault in its place',
        details: { sequence },
      },
    );
  }

  /** Foreign entries that a decision rests on, or that are remembered, must not vanish in a power cut (L3). */
  async makeDurable(): Promise<void> {
    if (this.#durable === this.state.sequence) return;
    const { store, singleWriter } = this.#options;
    await store.syncFolder('log');
    // That its sign is gone.
    if (singleWriter) await store.syncFolder('staging');
    this.#durable = this.state.sequence;
  }

  /** Returns what is wrong with it, if anything is. */
  #apply(stored: Uint8Array): VhdvaultError | undefined {
    const { keys } = this.#options;
    const sequence = this.state.sequence + 1;
    try {
      applyEntry(this.state, decodeEntry(keys, stored, sequence, this.state.head), hashOf(stored));
      return undefined;
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED')) throw error;
      return error;
    }
  }

  /**
   * A file beyond a gap is damage (L4). Opening looks for any, in a listing, which only finds candidates; where there was none,
   * what would be built over is looked for afterwards, since the listing grows with the log.
   */
  async #findGap(): Promise<VhdvaultError | undefined> {
    const { store } = this.#options;
    const next = this.state.sequence + 1;
    const newest = this.#isWhole
      ? (await store.size(logPath(next + 1))) && next + 1
      : sequencesIn(await store.list('log')).at(-1);
    this.#isWhole = !newest || newest < next;
    if (this.#isWhole) return undefined;
    // Another process may just have committed it: only what is still missing is a gap.
    if ((await store.size(logPath(next))) === undefined)
      return damaged(logPath(next), newest === next ? NO_FILE : `is missing while entry ${newest} is there`);
    await this.refresh();
    return this.damage;
  }

  /** True when the entry is in the log; false when another took the number. */
  async #create(entry: LogEntry, folder: string): Promise<boolean> {
    const { store, keys, random, singleWriter } = this.#options;
    const { bytes, nonce } = encodeEntry(keys, random, this.state.head, entry);
    const path = logPath(entry.sequence);
    const won = singleWriter
      ? await this.#createInPlace(entry.sequence, bytes)
      : await this.#link(path, bytes, nonce, folder);
    if (!won) return false;
    try {
      await store.syncFolder('log');
    } catch (cause) {
      throw notSure(path, cause);
    }
    if (this.state.sequence < entry.sequence) applyEntry(this.state, entry, hashOf(bytes));
    this.#durable = entry.sequence;
    return true;
  }

  async #createInPlace(sequence: number, bytes: Uint8Array): Promise<boolean> {
    const outcome = await createInPlace(this.#options, sequence, bytes);
    // A link that leads nowhere, perhaps: the next look lists.
    if (outcome === 'strange') this.#isWhole = false;
    return outcome === 'created';
  }

  async #link(path: string, bytes: Uint8Array, nonce: Uint8Array, folder: string): Promise<boolean> {
    const { store, random } = this.#options;
    const part = `${folder}/entry-${toHex(random.bytes(4))}`;
    try {
      {
        await using file = await store.create(part);
        await file.write([bytes]);
        await file.sync();
      }
      const outcome = await store.link(part, path).catch((error: unknown) => ({ error }));
      if (outcome === 'linked') return true;
      // Taken, or nobody knows (a time-out): our own nonce there means that it was us.
      const there = await store.get(path).catch(absent);
      if (there && equalBytes(nonceOf(there), nonce)) return true;
      // A link that leads nowhere, perhaps: the next look lists.
      if (!there) this.#isWhole = false;
      // Somebody who tidied up took it for a dead run's: once more.
      if (outcome !== 'exists' && !(isError(outcome.error, 'NOT_FOUND') && (await isGone(store, part))))
        throw outcome.error;
      return false;
    } finally {
      // What stays goes with the staging location; the entry is in the log all the same.
      await store.remove(part).catch(() => undefined);
    }
  }
}

const UNFINISHED = 'unfinished';

const NO_FILE = 'is a link to a file that is not there';

/** For `catch`: what lies there and cannot be read is an answer, too; where this machine lacks something it is none. */
function absentOrUnread(error: unknown): VhdvaultError | undefined {
  return isUnread(error) ? error : absent(error);
}

/** It may be whole: what is behind it can be read, and nothing be added. */
function unreadEntry(sequence: number, { code, message, hint, details, cause }: VhdvaultError): VhdvaultError {
  const path = logPath(sequence);
  const facts = { ...(hint !== undefined && { hint }), details: { ...details, path }, cause };
  return new VhdvaultError(code, `entry ${sequence} of the log, ${path}, cannot be read: ${message}`, facts);
}

async function isGone(store: Store, path: string): Promise<boolean> {
  return (await store.size(path)) === undefined;
}
