import { isError, VhdvaultError } from '../base/errors.ts';
import { DAY } from '../base/units.ts';

/** What the clocks on the walls of a time zone show. Local times are milliseconds, as if the wall's clock were UTC. */
export interface Zone {
  /** Local time minus UTC at that instant, in milliseconds. */
  offsetAt(time: number): number;
  /** When the clocks show it: the first time of two; a local time that was skipped is taken as late as it would have come. */
  instantOf(local: number): number;
}

/** Node knows the offsets of these years; before and after them, clocks are taken to stand as at their ends. */
const FIRST = Date.UTC(1000, 0, 3);
const LAST = Date.UTC(9999, 11, 29);
const UNKNOWN = 'Etc/Unknown';

/**
 * Checks the name of a time zone (IANA), and spells it as Node does.
 * @throws USAGE
 */
export function checkZone(name: string): string {
  return formatOf(name).resolvedOptions().timeZone;
}

/**
 * The zone of this machine, as Intl names it. For a TZ that it does not know it silently takes UTC, and days would begin elsewhere than
 * its owner thinks.
 * @throws USAGE
 */
export function localZone(tz: string = process.env.TZ ?? ''): string {
  const { timeZone = UNKNOWN } = Intl.DateTimeFormat().resolvedOptions();
  if (tz === '') return timeZone === UNKNOWN ? 'UTC' : timeZone;
  try {
    return checkZone(tz.replace(/^:?(\/usr\/share\/zoneinfo\/)?/, ''));
  } catch (cause) {
    if (/^(UTC|GMT)0$/.test(tz)) return 'UTC';
    if (!isError(cause, 'USAGE') || ![UNKNOWN, 'UTC'].includes(timeZone)) return timeZone;
    const hint = `set TZ right, or give --zone: ${cause.hint}`;
    throw new VhdvaultError('USAGE', `TZ names no known time zone: "${tz}"`, { hint, details: { zone: tz }, cause });
  }
}

/** @throws USAGE for an unknown name */
export function zoneOf(name: string): Zone {
  const format = formatOf(name);
  const offsetAt = (time: number): number => {
    const second = Math.floor(Math.min(Math.max(time, FIRST), LAST) / 1000) * 1000;
    return localOf(format, second) - second;
  };
  return { offsetAt, instantOf: (local) => instantOf(offsetAt, local) };
}

function formatOf(name: string): Intl.DateTimeFormat {
  const numeric = 'numeric';
  const parts = {
    year: numeric,
    month: numeric,
    day: numeric,
    hour: numeric,
    minute: numeric,
    second: numeric,
  } as const;
  try {
    return new Intl.DateTimeFormat('en-US-u-ca-gregory-nu-latn', { timeZone: name, hourCycle: 'h23', ...parts });
  } catch (cause) {
    const city = name.trim().replaceAll(' ', '_').toLowerCase();
    const near = Intl.supportedValuesOf('timeZone').find((zone) => zone.toLowerCase().endsWith(`/${city}`));
    const hint = 'write an IANA name, as Europe/Berlin, America/New_York or UTC';
    throw new VhdvaultError('USAGE', `unknown time zone: "${name}"`, {
      hint: near === undefined ? hint : `did you mean ${near}? Otherwise ${hint}`,
      details: { zone: name },
      cause,
    });
  }
}

/** `11/20/2026, 14:05:00`: a third of the time that formatToParts takes. */
function localOf(format: Intl.DateTimeFormat, time: number): number {
  const [month, day, year, hour, minute, second] = (format.format(time).match(/\d+/g) ?? []).map(Number);
  return Date.UTC(year!, month! - 1, day!, hour!, minute!, second!);
}

function instantOf(offsetAt: Zone['offsetAt'], local: number): number {
  const offsets = [offsetAt(local - DAY), offsetAt(local + DAY)] as const;
  const shown = offsets.map((offset) => local - offset).filter((time) => time + offsetAt(time) === local);
  return shown.length > 0 ? Math.min(...shown) : local - offsets[0];
}
