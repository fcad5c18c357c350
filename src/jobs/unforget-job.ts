import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { VhdvaultError } from '../base/errors.ts';
import { type CatalogPoint, findPoints } from '../point/catalog.ts';
import { checkItemRoom } from './backup-run.ts';
import { identity } from './forget-job.ts';
import { nameOf } from './forget-plan.ts';
import type { UnforgetResult } from './forget-types.ts';
import type { VaultSession } from './session.ts';
import { writeLog } from './write-log.ts';

/**
 * Brings forgotten points back (all that are named, or none): as long as gc has not given them up, they are whole.
 * `ITEM`, `ITEM@latest` and `ITEM@TIME` name the newest forgotten one. One that is not forgotten stays as it is.
 * @throws USAGE, NO_SUCH_ITEM, NO_SUCH_POINT, ITEM_FULL, ITEM_LOCKED (in a vault for a single writer), VAULT_READ_ONLY, VAULT_DAMAGED,
 * OUTCOME_UNKNOWN, CANCELLED, IO
 */
export async function unforget(
  session: VaultSession,
  refs: readonly string[],
  options: Cancellable = {},
): Promise<UnforgetResult> {
  throwIfAborted(options.signal);
  if (refs.length === 0) {
    throw new VhdvaultError('USAGE', 'no point was named', { hint: 'see `vhdvault points --forgotten`' });
  }
  return await writeLog(session, options, async (commit) => {
    const { vault } = session;
    const found = findPoints(vault, refs, 'forgotten');
    const named = [...new Map(found.map((point) => [point.id, point])).values()];
    let back: CatalogPoint[] = [];
    await commit(() => {
      const { points } = vault.state;
      const gone = named.find(({ logged }) => !points.has(logged.point));
      if (gone) throw givenUp(gone);
      back = named.filter(({ logged }) => points.get(logged.point)?.forgotten);
      for (const [item, some] of Map.groupBy(back, ({ manifest }) => manifest.item))
        checkItemRoom(vault, item, some.length);
      return back.length > 0 ? { type: 'unforget', points: back.map(({ logged }) => logged.point) } : null;
    });
    const live = named.filter((point) => !back.includes(point));
    return {
      unforgotten: back.map(identity),
      warnings: [],
      notices: live.map((point) => `${nameOf(point)} is not forgotten`),
    };
  });
}

function givenUp(point: CatalogPoint): VhdvaultError {
  return new VhdvaultError('NO_SUCH_POINT', `${nameOf(point)} cannot be brought back: its blocks were given up by gc`, {
    hint: 'see `vhdvault points --forgotten` for what can be; nothing was changed',
    details: { item: point.manifest.item, point: point.id },
  });
}
