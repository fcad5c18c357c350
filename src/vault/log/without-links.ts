import { absent, isError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import type { VaultKeys } from '../crypto/keys.ts';
import { writeObject } from '../open-store.ts';
import type { Store } from '../store/store.ts';
import { hashOf, isAuthentic, logPath } from './entry.ts';

/*
 * Where link(2) is missing, an entry cannot appear whole under its name: it is written there, beside a sign with its hash (L3). Until
 * the entry is durable and the sign gone it counts for nobody. What a kill left is settled by the next writer, under the vault's lock.
 */
interface Place {
  store: Store;
  keys: VaultKeys;
}

/** Of the sign that this entry is being written. */
export function writingPath(entry: string): string {
  return `staging/writing-${entry.slice('log/'.length)}`;
}

/** Whether what was read of an entry counts not, or not yet. Another writer's sign tells another hash. */
export async function isUnfinished({ store, keys }: Place, sequence: number, stored: Uint8Array): Promise<boolean> {
  const told = await store.get(writingPath(logPath(sequence))).catch(absent);
  return told !== undefined && (equalBytes(told, hashOf(stored)) || !isAuthentic(keys, stored, sequence));
}

/**
 * Writes an entry under the vault's lock. `taken`: another one has the number; `strange`: something that is no entry has it.
 * @throws OUTCOME_UNKNOWN, ITEM_LOCKED where another writer is at it, and what the store throws
 */
export async function createInPlace(
  place: Place,
  sequence: number,
  bytes: Uint8Array,
): Promise<'created' | 'taken' | 'strange'> {
  const { store } = place;
  const path = logPath(sequence);
  const [sign, hash] = [writingPath(path), hashOf(bytes)];
  if (await isTaken(place, sequence)) return 'taken';
  // Of a run that died before it had an entry.
  await store.remove(sign);
  await writeObject(store, sign, hash).catch(unlessThere);
  const created = await store.create(path).catch(unlessThere);
  if (!created) return (await isTaken(place, sequence)) ? 'taken' : 'strange';
  try {
    {
      await using file = created;
      await file.write([bytes]);
      await file.sync();
    }
    await store.syncFolder('log');
    // From now on it counts. Who took this run for dead may have a sign of its own there.
    const told = await store.get(sign).catch(absent);
    if (told && equalBytes(told, hash)) await store.remove(sign);
    await store.syncFolder('staging');
    // Who took this run for dead set the entry aside.
    const there = await store.get(path).catch(absent);
    return there && equalBytes(there, bytes) ? 'created' : 'taken';
  } catch (cause) {
    const there = await store.get(path).catch((error: unknown) => {
      if (isError(error, 'NOT_FOUND')) return undefined;
      throw notSure(path, cause);
    });
    if (!there) throw cause;
    // With its sign it does not count yet, and the next writer makes it count.
    if (equalBytes(there, bytes)) throw notSure(path, cause);
    // Torn, and its own: nobody can have read it.
    if (equalBytes(there, bytes.subarray(0, there.byteLength))) await store.remove(path).catch(() => undefined);
    throw cause;
  }
}

async function isTaken(place: Place, sequence: number): Promise<boolean> {
  const there = await place.store.get(logPath(sequence)).catch(absent);
  if (there && (await isUnfinished(place, sequence, there))) throw beingWritten();
  return there !== undefined;
}

/** Whether an entry that was written is there, and will be after a power cut, nobody knows. */
export function notSure(path: string, cause: unknown): VhdvaultError {
  return new VhdvaultError('OUTCOME_UNKNOWN', `${path} was written but could not be made durable`, {
    hint: 'look at the disk of the vault, then run `vhdvault points`: the point is there, or the next backup makes it anew',
    cause,
  });
}

function beingWritten(): VhdvaultError {
  return new VhdvaultError('ITEM_LOCKED', 'another run is writing to the vault, which takes one writer at a time', {
    hint: 'run it again when the other one has ended; nothing is lost',
  });
}

/** For `catch`, where the name may be taken. */
function unlessThere(error: unknown): undefined {
  if (!isError(error, 'TARGET_EXISTS')) throw error;
}
