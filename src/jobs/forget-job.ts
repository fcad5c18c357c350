import { throwIfAborted } from '../base/abort.ts';
import { toPlain, VhdvaultError } from '../base/errors.ts';
import { checkName } from '../base/names.ts';
import { type CatalogPoint, findPoint, findPoints } from '../point/catalog.ts';
import { noItemNamed } from '../point/reference.ts';
import { acceptedTime, checkClock, logTime } from './check-clock.ts';
import { type ForgetPlan, planByRules, planNamed } from './forget-plan.ts';
import type { ForgetOptions, ForgetResult, ForgottenPoint, WhatToForget } from './forget-types.ts';
import { checkSpans } from './gc-collection.ts';
import { gc } from './gc-job.ts';
import { iso, standingOf } from './point-standing.ts';
import { damageWarnings } from './points.ts';
import { reading } from './reading.ts';
import { keepRules } from './retention-rules.ts';
import type { VaultSession } from './session.ts';
import { type CommitEntry, writeLog } from './write-log.ts';

/** More points are forgotten by several entries: one has room for some 65,000. */
const MOST_POINTS = 10_000;

/**
 * Forgets points: those that are named (all of them, or none), or of items what no rule keeps. `unforget` brings them back
 * for at least 14 days; after that a gc gives them up, and a later one frees what only they hold. What becomes of a gc that was asked
 * for is told in the result, also where it fails or is cancelled.
 * @throws USAGE, ITEM_NAME, NO_SUCH_ITEM, NO_SUCH_POINT, POINT_PINNED, POINT_PROTECTED, LATEST_POINT without `force`,
 * CLOCK_DOUBTED without `acceptClock`, ITEM_LOCKED (in a vault for a single writer), VAULT_READ_ONLY, VAULT_DAMAGED,
 * OUTCOME_UNKNOWN, CANCELLED, IO
 */
export async function forget(
  session: VaultSession,
  what: WhatToForget,
  options: ForgetOptions = {},
): Promise<ForgetResult> {
  throwIfAborted(options.signal);
  checkWhat(what, options);
  const result = await (options.dryRun ? preview : commitForget)(session, what, options);
  return options.gc ? await alsoGc(session, result, options) : result;
}

/** @internal What a caller may get wrong, before the vault is looked at. @throws USAGE, ITEM_NAME */
export function checkWhat(what: WhatToForget, { force = false, ...options }: ForgetOptions): void {
  checkGcSpans(options);
  if ('refs' in what) {
    if ('rules' in what) throw bothNamed();
    if (what.refs.length === 0) throw nothingNamed();
    const item = what.refs.find((ref) => !ref.includes('@'));
    if (item !== undefined) throw itemNamed(item);
    return;
  }
  for (const item of what.items ?? []) checkName('item', item);
  keepRules(what.rules);
  if (!force) return;
  throw new VhdvaultError('USAGE', '--force goes with points that are named, not with rules', {
    hint: 'leave it out: rules never drop the latest point of an item, nor one that is pinned or protected',
  });
}

function checkGcSpans({ gc, softDelete, grace }: ForgetOptions): void {
  const given = Object.entries({ '--soft-delete': softDelete, '--grace': grace }).find(
    ([, span]) => span !== undefined,
  );
  if (given && !gc) {
    throw new VhdvaultError('USAGE', `${given[0]} goes with --gc`, {
      hint: 'add --gc, or leave it out: forgetting alone gives nothing up',
    });
  }
  checkSpans({ ...(softDelete !== undefined && { softDelete }), ...(grace !== undefined && { grace }) });
}

async function commitForget(session: VaultSession, what: WhatToForget, options: ForgetOptions): Promise<ForgetResult> {
  checkClock(session, options);
  return await writeLog(session, options, (commit) =>
    forgetAll(session, commit, planner(session, what, options), options),
  );
}

/** The points are forgotten, and are to be told, whatever happens now. */
async function alsoGc(session: VaultSession, result: ForgetResult, options: ForgetOptions): Promise<ForgetResult> {
  const { force: _, gc: __, ...rest } = options;
  try {
    const freed = await gc(session, rest);
    return { ...result, gc: freed, warnings: [...result.warnings, ...freed.warnings] };
  } catch (error) {
    const { code, message, hint = null, details = {} } = toPlain(error);
    return { ...result, gcError: { code, message, hint, details } };
  }
}

async function preview(opened: VaultSession, what: WhatToForget, options: ForgetOptions): Promise<ForgetResult> {
  await opened.vault.catchUp();
  const session = await reading(opened);
  const { clockDoubt } = session;
  const isDoubted = clockDoubt !== undefined && !options.acceptClock;
  const plan = planner(session, what, options)();
  const doubt = !isDoubted ? [] : [`${clockDoubt}: it will be forgotten only with --accept-clock`];
  return {
    ...resultOf(session, plan, plan.forget, options),
    dryRun: true,
    warnings: damageWarnings(session),
    notices: [...plan.notices, ...doubt],
  };
}

/** References are looked up once: `latest` must not wander while others make points. Asked again, it plans by the newest state. */
function planner(session: VaultSession, what: WhatToForget, options: ForgetOptions): () => ForgetPlan {
  const { force = false } = options;
  const { vault } = session;
  if ('refs' in what) {
    const named = findPoints(vault, what.refs, 'any');
    return () => planNamed(vault, named, logTime(session), force);
  }
  const { items = [] } = what;
  for (const item of items) findPoint(vault, item);
  const rules = keepRules(what.rules);
  const named = items.length > 0 ? items : undefined;
  return () => planByRules(vault, named, rules, { now: logTime(session), latest: acceptedTime(session, options) });
}

async function forgetAll(
  session: VaultSession,
  commit: CommitEntry,
  planNow: () => ForgetPlan,
  options: ForgetOptions,
): Promise<ForgetResult> {
  const { vault } = session;
  const done: CatalogPoint[] = [];
  let notices: readonly string[] | undefined;
  for (;;) {
    let plan: ForgetPlan = { forget: [], kept: [], notices: [] };
    const entry = await commit(() => {
      plan = planNow();
      const ids = plan.forget.slice(0, MOST_POINTS).map(({ logged }) => logged.point);
      return ids.length > 0 ? { type: 'forget', points: ids } : null;
    });
    // Only what every replay takes for forgotten is.
    const { points } = vault.state;
    const gone = plan.forget.filter(({ logged }) => points.get(logged.point)?.forgotten?.sequence === entry?.sequence);
    done.push(...gone);
    notices ??= plan.notices;
    const left = plan.forget.length - gone.length;
    if (left > 0 && gone.length > 0) continue;
    const warnings = left > 0 ? [notForgotten(left)] : [];
    return { ...resultOf(session, plan, done, options), notices: [...notices], warnings };
  }
}

/** The clock went back after it was decided, over the end of a pin or of a protection. */
function notForgotten(left: number): string {
  return `${left} of the points could not be forgotten yet: run the command again`;
}

function resultOf(
  session: VaultSession,
  plan: ForgetPlan,
  points: readonly CatalogPoint[],
  { softDelete }: ForgetOptions,
): ForgetResult {
  const { vault } = session;
  const now = logTime(session);
  const forgotten = points.map(
    (point): ForgottenPoint => ({
      ...identity(point),
      expires: standingOf(vault, point, now, softDelete).expires,
    }),
  );
  const kept = plan.kept.map(({ point, reasons }) => ({ ...identity(point), reasons }));
  return { dryRun: false, forgotten, kept, gc: null, gcError: null, warnings: [], notices: [...plan.notices] };
}

/** @internal How results name a point. */
export function identity({ id, time, manifest }: CatalogPoint): Omit<ForgottenPoint, 'expires'> {
  return { item: manifest.item, point: id, time: iso(time) };
}

function nothingNamed(): VhdvaultError {
  return new VhdvaultError('USAGE', 'neither points nor rules were given', {
    hint: 'name points, as web01@p7e2d90a, or say what to keep, as --keep-daily 7 --keep-weekly 4; with --dry-run it only tells',
  });
}

function bothNamed(): VhdvaultError {
  return new VhdvaultError('USAGE', 'points and rules were given together', {
    hint: 'leave one of them out: rules are for whole items',
  });
}

function itemNamed(item: string): VhdvaultError {
  if (item === '') return noItemNamed(item);
  return new VhdvaultError('USAGE', `"${item}" names no point, only an item`, {
    hint: `name points as ${item}@pID (see \`vhdvault points ${item}\`) or ${item}@latest, or say what to keep of it, as --keep-daily 7`,
  });
}
