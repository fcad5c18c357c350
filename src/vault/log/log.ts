import type { Clock } from '../../base/clock.ts';
import { isError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes, toHex } from '../../base/hex.ts';
import type { Random } from '../../base/random.ts';
import { damaged } from '../codec/object-header.ts';
import type { VaultKeys } from '../crypto/keys.ts';
import type { Store } from '../store/store.ts';
import { decodeEntry, type EntryBody, encodeEntry, hashOf, type LogEntry, logPath, nonceOf } from './entry.ts';
import { applyEntry, emptyState, type VaultState } from './state.ts';

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
  readonly state: VaultState;
  /** An entry that is there and unreadable, or a gap: readers go on with the state before it, writers stop (L6). */
  damage: VhdvaultError | undefined;
  /** Entries written from now on say that their clock is not to be trusted (L7). */
  clockDoubted = false;
  readonly #options: LogOptions;
  #durable = 0;

  constructor(options: LogOptions, vaultHash: Uint8Array) {
    this.#options = options;
    this.state = emptyState(vaultHash);
  }

  /**
   * Replays what came since; returns how many entries.
   * @throws VAULT_NEWER
   */
  async refresh(): Promise<number> {
    const { store } = this.#options;
    const before = this.state.sequence;
    this.damage = undefined;
    for (;;) {
      const stored = await store.get(logPath(this.state.sequence + 1)).catch(absent);
      if (!stored) break;
      if (!(await this.#apply(stored))) break;
    }
    if (!this.damage) await this.#checkGap();
    return this.state.sequence - before;
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
      await this.#makeDurable();
      const body = await decide(this.state);
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
      if (await this.#create(entry, folder)) return entry;
    }
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

  /** The foreign entries that a decision rests on must not vanish in a power cut (L3). */
  async #makeDurable(): Promise<void> {
    if (this.#durable === this.state.sequence) return;
    await this.#options.store.syncFolder('log');
    this.#durable = this.state.sequence;
  }

  async #apply(stored: Uint8Array): Promise<boolean> {
    const { keys } = this.#options;
    const sequence = this.state.sequence + 1;
    try {
      applyEntry(this.state, decodeEntry(keys, stored, sequence, this.state.head), hashOf(stored));
      return true;
    } catch (error) {
      if (!isError(error, 'VAULT_DAMAGED')) throw error;
      this.damage = error;
      return false;
    }
  }

  /** A file beyond a gap is damage; the listing only finds candidates (L4). */
  async #checkGap(): Promise<void> {
    const newest = (await this.#options.store.list('log')).filter((name) => /^\d{20}$/.test(name)).at(-1);
    if (newest === undefined || Number(newest) <= this.state.sequence) return;
    // Another process may just have committed it: only what is still missing is a gap.
    const missing = logPath(this.state.sequence + 1);
    if ((await this.#options.store.size(missing)) !== undefined) await this.refresh();
    else this.damage = damaged(missing, `is missing while entry ${Number(newest)} is there`);
  }

  /** True when the entry is in the log; false when another took the number. */
  async #create(entry: LogEntry, folder: string): Promise<boolean> {
    const { store, keys, random, singleWriter } = this.#options;
    const { bytes, nonce } = encodeEntry(keys, random, this.state.head, entry);
    const path = logPath(entry.sequence);
    const won = singleWriter ? await this.#createExclusive(path, bytes) : await this.#link(path, bytes, nonce, folder);
    if (!won) return false;
    try {
      await store.syncFolder('log');
    } catch (cause) {
      throw new VhdvaultError('OUTCOME_UNKNOWN', `${path} was written but could not be made durable`, {
        hint: 'look at the disk of the vault, then run `vhdvault points`: the point is there, or the next backup makes it anew',
        cause,
      });
    }
    applyEntry(this.state, entry, hashOf(bytes));
    this.#durable = entry.sequence;
    return true;
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
      if (outcome !== 'exists') throw outcome.error;
      return false;
    } finally {
      // What stays goes with the staging location; the entry is in the log all the same.
      await store.remove(part).catch(() => undefined);
    }
  }

  async #createExclusive(path: string, bytes: Uint8Array): Promise<boolean> {
    const { store } = this.#options;
    const created = await store.create(path).catch((error: unknown) => {
      if (!isError(error, 'TARGET_EXISTS')) throw error;
    });
    if (!created) return false;
    try {
      await using file = created;
      await file.write([bytes]);
      await file.sync();
      return true;
    } catch (error) {
      // Torn, it would stop every writer from now on. It is ours, and there is no other writer who could have seen it.
      await store.remove(path).catch(() => undefined);
      throw error;
    }
  }
}

function absent(error: unknown): undefined {
  if (isError(error, 'NOT_FOUND')) return undefined;
  throw error;
}
