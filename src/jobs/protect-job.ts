import { throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { catalog } from '../point/catalog.ts';
import { durationText, parseDuration } from '../policy/duration.ts';
import type { VaultState } from '../vault/vault.ts';
import { checkClock, logTime } from './check-clock.ts';
import { forgettableFrom, iso } from './point-standing.ts';
import { damageWarnings } from './points.ts';
import type { ProtectOptions, ProtectResult } from './protect-types.ts';
import type { VaultSession } from './session.ts';
import { writeLog } from './write-log.ts';

/**
 * Sets the least age at which points of the vault may be forgotten, for those that are there and those to come. It may be
 * raised at any time, and lowered only when as much time has passed since it was set; a point that was made under it keeps
 * it. Without `minRetention`, only tells what is in force.
 * @throws USAGE, MIN_RETENTION, CLOCK_DOUBTED without `acceptClock`, ITEM_LOCKED (in a vault for a single writer),
 * VAULT_READ_ONLY, VAULT_DAMAGED, OUTCOME_UNKNOWN, CANCELLED, IO
 */
export async function protect(session: VaultSession, options: ProtectOptions = {}): Promise<ProtectResult> {
  const { minRetention, signal } = options;
  throwIfAborted(signal);
  if (minRetention === undefined) return inForce(session, null, []);
  const retention = millisecondsOf(minRetention);
  checkClock(session, options);
  return await writeLog(session, options, async (commit) => {
    const { state } = session.vault;
    let before = 0;
    const entry = await commit(() => {
      before = state.protects.at(-1)?.retention ?? 0;
      checkRunOut(state, retention, logTime(session));
      return before === 0 && retention === 0 ? null : { type: 'protect', retention };
    });
    return inForce(session, before / 1000, entry ? [] : ['no minimum retention was in force']);
  });
}

function inForce(session: VaultSession, before: number | null, notices: string[]): ProtectResult {
  const { vault } = session;
  const now = logTime(session);
  const last = vault.state.protects.at(-1);
  const points = catalog(vault);
  const runsOut = last ? last.time + last.retention : 0;
  return {
    minRetention: (last?.retention ?? 0) / 1000,
    since: last ? iso(last.time) : null,
    lowerableFrom: now < runsOut ? iso(runsOut) : null,
    before,
    points: points.length,
    protected: points.filter((point) => now < forgettableFrom(vault, point)).length,
    warnings: damageWarnings(session),
    notices,
  };
}

/** By the same rule as every replay. */
function checkRunOut({ protects }: VaultState, retention: number, now: number): void {
  const last = protects.at(-1);
  if (!last || retention >= last.retention || now - last.time >= last.retention) return;
  const [since, until] = [iso(last.time), iso(last.time + last.retention)];
  const set = durationText({ months: 0, milliseconds: last.retention });
  throw new VhdvaultError('MIN_RETENTION', `a minimum retention of ${set} is in force since ${since}, until ${until}`, {
    hint: `it can be lowered from ${until} on: wait until then; raising it is possible at any time`,
    details: { since, until, seconds: last.retention / 1000 },
  });
}

/** @internal @throws USAGE */
export function millisecondsOf(text: string): number {
  const { months, milliseconds } = parseDuration(text, '--min-retention');
  if (months === 0) return milliseconds;
  throw new VhdvaultError(
    'USAGE',
    `--min-retention is counted in days, and months and years are not all alike: "${text}"`,
    {
      hint: 'write 31d for a month, 366d for a year',
      details: { option: '--min-retention', value: text },
    },
  );
}
