import { VhdvaultError } from '../base/errors.ts';

/** What `ITEM`, `ITEM@latest`, `ITEM@pID` and `ITEM@TIME` say. */
export type Reference = { item: string } & (
  | { by: 'latest' }
  /** The beginning of an id. */
  | { by: 'id'; prefix: string }
  /** The newest point at or before `end`, which is in milliseconds since 1970 UTC. */
  | { by: 'time'; end: number; words: string }
);

/** @throws USAGE */
export function parseReference(ref: string): Reference {
  const at = ref.indexOf('@');
  const item = at < 0 ? ref : ref.slice(0, at);
  if (item === '') throw noItemNamed(ref);
  const words = at < 0 ? 'latest' : ref.slice(at + 1);
  if (words === 'latest') return { item, by: 'latest' };
  if (/^p[0-9a-f]*$/.test(words)) return { item, by: 'id', prefix: words };
  const end = parseTime(words);
  if (end !== undefined) return { item, by: 'time', end, words };
  throw new VhdvaultError('USAGE', `"${words}" names no point`, {
    hint: `write ${item}@latest, ${item}@pID (see \`vhdvault points ${item}\`) or ${item}@YYYY-MM-DD[Thh:mm[:ss][Z]]`,
  });
}

/** An empty variable of a script, most likely. */
export function noItemNamed(ref: string): VhdvaultError {
  const what = ref === '' ? 'a point was named by an empty text' : `"${ref}" names no item`;
  return new VhdvaultError('USAGE', what, { hint: 'name points as ITEM@pID (see `vhdvault points`) or ITEM@latest' });
}

/**
 * The last millisecond that `YYYY-MM-DD[Thh:mm[:ss[.mmm]][Z]]` stands for: a bare date means its end, minutes their 59th
 * second. Local without a zone. undefined where the words are no time.
 */
export function parseTime(words: string): number | undefined {
  const found = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(:\d{2})?(\.\d{3})?)?(Z)?$/.exec(words);
  if (!found) return undefined;
  const [, day, minute = '23:59', second = ':59', milliseconds = '.999', zone = ''] = found;
  const time = new Date(`${day}T${minute}${second}${milliseconds}${zone}`).getTime();
  // The 30th of February would be the 2nd of March.
  const isDay = new Date(`${day}T00:00Z`).toJSON()?.startsWith(`${day}T`) ?? false;
  return isDay && !Number.isNaN(time) ? time : undefined;
}
