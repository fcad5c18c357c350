import { isError, VhdvaultError } from '../base/errors.ts';
import { type LoggedPoint, logEntryPath, type Vault } from '../vault/vault.ts';
import { type Manifest, parseLabel, parseManifest } from './manifest.ts';

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

function manifestOf({ manifest, label, sequence }: LoggedPoint): Manifest {
  const where = logEntryPath(sequence);
  const parsed = parseManifest(manifest, where);
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

/**
 * Finds the point that `ITEM`, `ITEM@latest`, `ITEM@pID` or `ITEM@TIME` names.
 * @throws NO_SUCH_ITEM, NO_SUCH_POINT, USAGE
 */
export function findPoint(vault: Vault, ref: string): CatalogPoint {
  const at = ref.indexOf('@');
  const item = at < 0 ? ref : ref.slice(0, at);
  const which = at < 0 ? 'latest' : ref.slice(at + 1);
  const points = pointsOf(vault, item);
  if (points.length === 0) throw noSuchItem(vault, item);
  if (which === 'latest') return points.at(-1) as CatalogPoint;
  if (/^p[0-9a-f]*$/.test(which)) return byId(points, item, which);
  const end = parseTime(which);
  if (end === undefined) {
    throw new VhdvaultError('USAGE', `"${which}" names no point`, {
      hint: `write ${item}@latest, ${item}@pID (see \`vhdvault points ${item}\`) or ${item}@YYYY-MM-DD[Thh:mm[:ss][Z]]`,
    });
  }
  const found = points.findLast(({ time }) => time <= end);
  if (found) return found;
  throw new VhdvaultError('NO_SUCH_POINT', `${item} has no point at or before ${which}`, {
    hint: `its oldest point is ${points[0]?.id} of ${new Date(points[0]?.time ?? 0).toISOString()}`,
  });
}

function byId(points: readonly CatalogPoint[], item: string, prefix: string): CatalogPoint {
  const found = points.filter(({ id }) => id.startsWith(prefix));
  if (found.length === 1) return found[0] as CatalogPoint;
  const what =
    found.length === 0 ? `${item} has no point ${prefix}` : `${prefix} names ${found.length} points of ${item}`;
  const hint =
    found.length === 0
      ? `see \`vhdvault points ${item}\``
      : `write more of it: ${found.map(({ id }) => id).join(', ')}`;
  throw new VhdvaultError('NO_SUCH_POINT', what, { hint });
}

function noSuchItem(vault: Vault, item: string): VhdvaultError {
  const items = [...new Set(catalog(vault).map(({ manifest }) => manifest.item))].sort();
  const shown = items.slice(0, 10).join(', ') + (items.length > 10 ? ', ...' : '');
  return new VhdvaultError('NO_SUCH_ITEM', `the vault has no item "${item}"`, {
    hint: items.length === 0 ? 'it has no points yet: make one with `vhdvault backup`' : `it has: ${shown}`,
    details: { item },
  });
}

/** The last millisecond that the words stand for: a bare date means its end, minutes their 59th second. Local without a zone. */
function parseTime(words: string): number | undefined {
  const found = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2})?)?(Z)?$/.exec(words);
  if (!found) return undefined;
  const [, day, minute = '23:59', second = ':59', zone = ''] = found;
  const time = new Date(`${day}T${minute}${second}.999${zone}`).getTime();
  return Number.isNaN(time) ? undefined : time;
}
