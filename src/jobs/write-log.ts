import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import type { EntryBody } from '../vault/vault.ts';
import { failedToWrite, lockForWriting } from './lock-for-writing.ts';
import { openReserve, type Reserve } from './open-reserve.ts';
import type { VaultSession } from './session.ts';
import type { ClockTrust } from './types.ts';

/** Adds an entry: `decide` is asked with the newest state in the vault, and again after each lost race; null: none is needed. */
export type CommitEntry = (decide: () => EntryBody | null) => Promise<{ sequence: number; time: number } | null>;

/**
 * Does the work of a command that adds entries to the log and stores nothing. It begins with the newest state of the vault;
 * it can be cancelled until its first entry is there. On a full disk the reserve is used: without a forget a gc has nothing to
 * free, and a point may have to be unpinned for that.
 * @throws VAULT_READ_ONLY, VAULT_DAMAGED, ITEM_LOCKED, NO_SPACE, OUTCOME_UNKNOWN, CANCELLED, and what `work` throws
 */
export async function writeLog<T>(
  session: VaultSession,
  { signal, ...trust }: Cancellable & ClockTrust,
  work: (commit: CommitEntry) => Promise<T>,
): Promise<T> {
  const { vault, notice } = session;
  throwIfAborted(signal);
  const reserve = openReserve(vault);
  await using lock = await reserve.firstOfAll(() => lockForWriting(session, undefined, signal));
  if (lock.takenOver) notice(lock.takenOver);
  let entries = 0;
  const commit: CommitEntry = async (decide) => {
    const add = (): ReturnType<CommitEntry> =>
      vault.commit((): EntryBody | null => {
        if (entries === 0) throwIfAborted(signal);
        return decide();
      });
    const entry = await reserve.firstOfAll(add).catch(unknownOutcome).catch(failedToWrite);
    if (entry) entries++;
    return entry;
  };
  try {
    await vault.refresh();
    const result = await work(commit);
    if (entries > 0 || trust.acceptClock) await session.rememberHead(trust);
    return result;
  } finally {
    if (reserve.wasUsed) notice(await reserveNotice(reserve));
  }
}

/** What is left of it is set aside again at once, whatever came of the work: a backup that comes before the gc would take it. */
async function reserveNotice(reserve: Reserve): Promise<string> {
  const problem = await reserve.restore(undefined).catch((error: Error) => error);
  const left = problem ? ` (${problem.message})` : '';
  return `the disk of the vault was full: its reserve was used, and \`vhdvault gc\` makes it whole again${left}`;
}

function unknownOutcome(cause: unknown): never {
  if (!isError(cause, 'OUTCOME_UNKNOWN')) throw cause;
  throw new VhdvaultError('OUTCOME_UNKNOWN', cause.message, {
    hint: 'look at the disk of the vault, then at `vhdvault points`: all of it was done, or nothing',
    details: cause.details,
    cause,
  });
}
