import { VhdvaultError } from '../base/errors.ts';
import { type CatalogPoint, catalog } from '../point/catalog.ts';
import { type KeepRules, planKeep } from '../policy/keep-rules.ts';
import { isPinned, type Vault } from '../vault/vault.ts';
import { forgettableFrom, iso } from './point-standing.ts';

/** What to forget and what to keep, by the state that it was made with. */
export interface ForgetPlan {
  forget: CatalogPoint[];
  kept: { point: CatalogPoint; reasons: string[] }[];
  /** Told of points that need not be forgotten any more. */
  notices: string[];
}

/**
 * Of points that were named, those that are there still, or a refusal. `now` by the log's clock.
 * @throws POINT_PINNED, POINT_PROTECTED, LATEST_POINT
 */
export function planNamed(vault: Vault, named: readonly CatalogPoint[], now: number, force: boolean): ForgetPlan {
  const { points } = vault.state;
  const plan: ForgetPlan = { forget: [], kept: [], notices: [] };
  for (const point of new Map(named.map((one) => [one.id, one])).values()) {
    const logged = points.get(point.logged.point);
    if (!logged) plan.notices.push(`${nameOf(point)} was given up by gc meanwhile`);
    else if (logged.forgotten) plan.notices.push(`${nameOf(point)} is forgotten already`);
    else plan.forget.push(checkFree(vault, point, now));
  }
  if (!force) checkLatest(vault, plan.forget);
  return plan;
}

/** Of the points of items, whatever no rule keeps. `now` by the log's clock; `latest`: no point is later than this. */
export function planByRules(
  vault: Vault,
  items: readonly string[] | undefined,
  rules: KeepRules,
  { now, latest }: { now: number; latest: number },
): ForgetPlan {
  const byItem = Map.groupBy(catalog(vault), ({ manifest }) => manifest.item);
  const plan: ForgetPlan = { forget: [], kept: [], notices: [] };
  for (const item of new Set(items ?? [...byItem.keys()].sort())) {
    const points = byItem.get(item) ?? [];
    const { kept } = planKeep(
      points.map((point) => keepPoint(point, now, latest)),
      rules,
    );
    const reasons = new Map(kept.map((one) => [one.point, one.reasons]));
    for (const point of points) {
      const until = forgettableFrom(vault, point);
      const why = reasons.get(point.id) ?? (now < until ? [`protected until ${secondText(until)}`] : []);
      if (why.length > 0) plan.kept.push({ point, reasons: [...why] });
      else plan.forget.push(point);
    }
  }
  return plan;
}

/** By a doubted clock a point may be years ahead: counted from there, all others would be too old to be kept (L7). */
function keepPoint(
  { id, time, sequence, logged }: CatalogPoint,
  now: number,
  latest: number,
): Parameters<typeof planKeep>[0][number] {
  return { id, sequence, time: Math.min(time, latest), pinned: isPinned(logged, now) };
}

function checkFree(vault: Vault, point: CatalogPoint, now: number): CatalogPoint {
  const details = { item: point.manifest.item, point: point.id };
  if (isPinned(point.logged, now)) {
    throw new VhdvaultError('POINT_PINNED', `${nameOf(point)} is pinned`, {
      hint: `\`vhdvault unpin ${nameOf(point)}\` first; nothing was forgotten`,
      details,
    });
  }
  const until = forgettableFrom(vault, point);
  if (now >= until) return point;
  throw new VhdvaultError('POINT_PROTECTED', `${nameOf(point)} is protected until ${secondText(until)}`, {
    hint: 'wait until then: nobody can shorten the minimum retention of points that are there; nothing was forgotten',
    details: { ...details, until: iso(until) },
  });
}

/** Asked at n-1: of two who forget at once, each an older point than the other's, one must see that its own is the latest now. */
function checkLatest(vault: Vault, forget: readonly CatalogPoint[]): void {
  if (forget.length === 0) return;
  const latest = new Map(catalog(vault).map((point) => [point.manifest.item, point.id]));
  const found = forget.find(({ id, manifest }) => latest.get(manifest.item) === id);
  if (!found) return;
  const { item } = found.manifest;
  throw new VhdvaultError('LATEST_POINT', `${nameOf(found)} is the latest point of ${item}`, {
    hint: 'if it is to go as well, use --force; nothing was forgotten',
    details: { item, point: found.id },
  });
}

export function nameOf({ id, manifest }: CatalogPoint): string {
  return `${manifest.item}@${id}`;
}

function secondText(time: number): string {
  return iso(time).replace(/\.\d{3}Z$/, 'Z');
}
