import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { type CatalogPoint, findPoints } from '../point/catalog.ts';
import { parseTime } from '../point/reference.ts';
import { FOR_EVER, type LoggedPoint } from '../vault/vault.ts';
import { logTime } from './check-clock.ts';
import { identity } from './forget-job.ts';
import { nameOf } from './forget-plan.ts';
import type { PinOptions, PinResult } from './pin-types.ts';
import { pinnedText, standingOf } from './point-standing.ts';
import type { VaultSession } from './session.ts';
import { writeLog } from './write-log.ts';

/**
 * Pins a point: for ever, or until a time, it cannot be forgotten, neither by rules nor by name. A forgotten point that is
 * pinned (by its id) stays forgotten, but gc does not free it.
 * @throws USAGE, NO_SUCH_ITEM, NO_SUCH_POINT, ITEM_LOCKED (in a vault for a single writer), VAULT_READ_ONLY, VAULT_DAMAGED,
 * OUTCOME_UNKNOWN, CANCELLED, IO
 */
export async function pin(session: VaultSession, ref: string, options: PinOptions = {}): Promise<PinResult> {
  throwIfAborted(options.signal);
  const until = options.until === undefined ? FOR_EVER : timeOf(options.until);
  return await setPin(session, ref, options, (now) => {
    if (until <= now) throw inThePast(options.until ?? '', now);
    return until;
  });
}

/**
 * Takes the pin of a point away: from now on it may be forgotten.
 * @throws USAGE, NO_SUCH_ITEM, NO_SUCH_POINT, ITEM_LOCKED (in a vault for a single writer), VAULT_READ_ONLY, VAULT_DAMAGED,
 * OUTCOME_UNKNOWN, CANCELLED, IO
 */
export async function unpin(session: VaultSession, ref: string, options: Cancellable = {}): Promise<PinResult> {
  throwIfAborted(options.signal);
  return await setPin(session, ref, options, () => 0);
}

async function setPin(
  session: VaultSession,
  ref: string,
  options: Cancellable,
  untilAt: (now: number) => number,
): Promise<PinResult> {
  const { vault } = session;
  return await writeLog(session, options, async (commit) => {
    const [point] = findPoints(vault, [ref], 'any') as [CatalogPoint];
    let before: PinResult['before'] = null;
    const entry = await commit(() => {
      const now = logTime(session);
      const until = untilAt(now);
      const { pinned = 0 } = stillThere(session, point);
      before = pinnedText(point.logged, now);
      return pinned === until ? null : { type: 'pin', point: point.logged.point, until };
    });
    const { pinned, forgotten } = standingOf(vault, point, logTime(session));
    const unchanged = `${nameOf(point)} ${pinned === null ? 'was not pinned' : 'is pinned so already'}`;
    return {
      ...{ ...identity(point), pinned, before, forgotten, warnings: [] },
      notices: entry ? [] : [unchanged],
    };
  });
}

function stillThere({ vault }: VaultSession, point: CatalogPoint): LoggedPoint {
  const logged = vault.state.points.get(point.logged.point);
  if (logged) return logged;
  throw new VhdvaultError('NO_SUCH_POINT', `${nameOf(point)} is gone: its blocks were given up by gc`, {
    hint: 'see `vhdvault points --forgotten` for what can be had still',
    details: { item: point.manifest.item, point: point.id },
  });
}

/** @internal @throws USAGE */
export function timeOf(words: string): number {
  const time = parseTime(words);
  if (time !== undefined) return time;
  throw new VhdvaultError('USAGE', `--until is no time: "${words}"`, {
    hint: 'write YYYY-MM-DD[Thh:mm[:ss][Z]]: local time without the Z, a bare date means its end',
    details: { option: '--until', value: words },
  });
}

function inThePast(words: string, now: number): VhdvaultError {
  return new VhdvaultError(
    'USAGE',
    `--until ${words} is not in the future: by the vault it is ${new Date(now).toISOString()}`,
    {
      hint: 'name a later time, or leave --until out to pin it for ever',
      details: { option: '--until', value: words },
    },
  );
}
