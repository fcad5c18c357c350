import { isError, VhdvaultError } from '../base/errors.ts';
import { type LoggedPoint, logEntryPath, type Vault } from '../vault/vault.ts';
import { type Manifest, parseLabel, parseManifest } from './manifest.ts';
import { parseReference, type Reference } from './reference.ts';

/** A recovery point as the catalog knows it. */
export interface CatalogPoint {
  /** `p` and 16 hex digits. */
  id: string;
  sequence: number;
  /** Milliseconds since 1970 UTC, by the log. */
  time: number;
  tool: string;
  logged: LoggedPoint;
  manifest: Manifest;
}

/** The points that are live, oldest first; "latest" means the highest sequence, never a time (L7). */
export function catalog(vault: Vault): CatalogPoint[] {
  return everyPoint(vault).filter(({ logged }) => !logged.forgotten);
}

/** Also those that are forgotten and not given up yet: they can be brought back, so what they need is kept and checked. */
export function everyPoint(vault: Vault): CatalogPoint[] {
  return [...vault.state.points.values()]
    .map((logged) => ({
      id: `p${logged.point}`,
      sequence: logged.sequence,
      time: logged.time,
      tool: logged.tool,
      logged,
      manifest: manifestOf(logged),
    }))
    .sort((a, b) => a.sequence - b.sequence);
}

/** Of a point's manifest, which never changes: parsing 10,000 of them takes 0.2 s, and most commands ask several times. */
const manifests = new WeakMap<Uint8Array, Manifest>();

function manifestOf({ manifest, label, sequence }: LoggedPoint): Manifest {
  const where = logEntryPath(sequence);
  const parsed = manifests.get(manifest) ?? parseManifest(manifest, where);
  manifests.set(manifest, parsed);
  try {
    return label ? { ...parsed, ...parseLabel(label, where) } : parsed;
  } catch (error) {
    // A later version may write more into it: what is not understood is passed over, as the entry itself may be.
    if (isError(error, 'VAULT_DAMAGED')) return parsed;
    throw error;
  }
}

export function pointsOf(vault: Vault, item: string): CatalogPoint[] {
  return catalog(vault).filter(({ manifest }) => manifest.item === item);
}

/** Which points a reference may name: live ones; forgotten ones; any that can be had. See `findPoints`. */
export type Among = 'live' | 'forgotten' | 'any';

/**
 * Finds the point that `ITEM`, `ITEM@latest`, `ITEM@pID` or `ITEM@TIME` names.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE
 */
export function findPoint(vault: Vault, ref: string): CatalogPoint {
  return findPoints(vault, [ref])[0] as CatalogPoint;
}

/**
 * The points that references name. By its id any point is found, but among `live` ones; `latest` and times are looked
 * for among forgotten points with `forgotten`, else among live ones.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE
 */
export function findPoints(vault: Vault, refs: readonly string[], among: Among = 'live'): CatalogPoint[] {
  const byItem = Map.groupBy(everyPoint(vault), ({ manifest }) => manifest.item);
  const split = new Map<string, Split>();
  const find = (ref: string): CatalogPoint => {
    const reference = parseReference(ref);
    const { item } = reference;
    const points = split.get(item) ?? splitOf(byItem.get(item) ?? []);
    split.set(item, points);
    const { live, forgotten } = points;
    if (live.length + forgotten.length === 0) throw noSuchItem(vault, item);
    if (reference.by === 'id') return byId(points, item, reference.prefix, among);
    const first = among === 'forgotten' ? forgotten : live;
    if (first.length === 0) throw among === 'forgotten' ? noneForgotten(item) : allForgotten(item, forgotten.length);
    if (reference.by === 'latest') return first.at(-1) as CatalogPoint;
    const found = first.findLast(({ time }) => time <= reference.end);
    if (found) return found;
    throw tooEarly(points, reference, among);
  };
  return refs.map((ref) => {
    try {
      return find(ref);
    } catch (error) {
      throw behindDamage(vault, error);
    }
  });
}

/** It may be there, and only not be seen. */
function behindDamage({ damage }: Vault, error: unknown): unknown {
  if (!damage || !isError(error, 'NO_SUCH_ITEM', 'NO_SUCH_POINT')) return error;
  return new VhdvaultError(error.code, error.message, {
    hint: `the log is damaged (${damage.message}): what it told is not known, perhaps this point; \`vhdvault verify\` tells the cure`,
    details: error.details,
    cause: error,
  });
}

type TimeReference = Extract<Reference, { by: 'time' }>;

interface Split {
  live: CatalogPoint[];
  forgotten: CatalogPoint[];
}

function splitOf(points: readonly CatalogPoint[]): Split {
  const { live = [], forgotten = [] } = Object.groupBy(points, ({ logged }) =>
    logged.forgotten ? 'forgotten' : 'live',
  );
  return { live, forgotten };
}

function byId({ live, forgotten }: Split, item: string, prefix: string, among: Among): CatalogPoint {
  const named = (points: CatalogPoint[]): CatalogPoint[] => points.filter(({ id }) => id.startsWith(prefix));
  const [first, other] = among === 'forgotten' ? [named(forgotten), named(live)] : [named(live), named(forgotten)];
  const found = first.length === 0 && among !== 'live' ? other : first;
  if (found.length === 1) return found[0] as CatalogPoint;
  if (found.length === 0 && other.length === 1) throw isForgotten(item, other[0] as CatalogPoint);
  const several = found.length > 0 ? found : other;
  const what =
    several.length === 0 ? `${item} has no point ${prefix}` : `${prefix} names ${several.length} points of ${item}`;
  const gone = among === 'live' ? '' : '; a forgotten point that gc gave up cannot be had any more';
  const hint =
    several.length === 0
      ? `see \`vhdvault points ${item}\`${gone}`
      : `write more of it: ${listed(several.map(({ id }) => id))}`;
  throw new VhdvaultError('NO_SUCH_POINT', what, { hint });
}

function tooEarly({ live, forgotten }: Split, { item, end, words }: TimeReference, among: Among): VhdvaultError {
  const isBack = among === 'forgotten';
  const kind = isBack ? 'forgotten point' : 'point';
  const [oldest] = isBack ? forgotten : live;
  const gone = isBack ? undefined : forgotten.findLast(({ time }) => time <= end);
  const back = gone && `; ${gone.id} is forgotten, and \`vhdvault unforget ${item}@${gone.id}\` brings it back`;
  return new VhdvaultError('NO_SUCH_POINT', `${item} has no ${kind} at or before ${words}`, {
    hint: `its oldest ${kind} is ${oldest?.id} of ${new Date(oldest?.time ?? 0).toISOString()}${back ?? ''}`,
    details: { item },
  });
}

function isForgotten(item: string, { id, logged: { forgotten } }: CatalogPoint): VhdvaultError {
  const since = forgotten?.time ? `, since ${new Date(forgotten.time).toISOString()}` : '';
  return new VhdvaultError('NO_SUCH_POINT', `${item}@${id} is forgotten${since}`, {
    hint: `\`vhdvault unforget ${item}@${id}\` brings it back`,
    details: { item, point: id },
  });
}

function allForgotten(item: string, forgotten: number): VhdvaultError {
  return new VhdvaultError('NO_SUCH_ITEM', `all points of ${item} are forgotten`, {
    hint: `\`vhdvault points ${item} --forgotten\` lists what \`vhdvault unforget\` can bring back`,
    details: { item, forgotten },
  });
}

function noneForgotten(item: string): VhdvaultError {
  return new VhdvaultError('NO_SUCH_POINT', `${item} has no forgotten point that can be had`, {
    hint: 'what gc gave up is not listed by `vhdvault points --forgotten` any more, and cannot be brought back',
    details: { item },
  });
}

function noSuchItem(vault: Vault, item: string): VhdvaultError {
  const items = [...new Set(catalog(vault).map(({ manifest }) => manifest.item))].sort();
  return new VhdvaultError('NO_SUCH_ITEM', `the vault has no item "${item}"`, {
    hint: items.length === 0 ? 'it has no points yet: make one with `vhdvault backup`' : `it has: ${listed(items)}`,
    details: { item },
  });
}

function listed(words: readonly string[]): string {
  return words.slice(0, 10).join(', ') + (words.length > 10 ? ', ...' : '');
}
