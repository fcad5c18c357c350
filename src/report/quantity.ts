import prettyMilliseconds from 'pretty-ms';

const UNITS: Readonly<Record<string, string>> = { y: 'y', d: 'd', h: 'h', m: 'min', s: 's', ms: 'ms' };

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** `1.3 GiB`: binary, one decimal at most, never more than it is. By hand: `points` may tell 30,000, and a library took 2.5 s. */
export function sizeText(bytes: number): string {
  let [unit, scale] = [0, 1];
  for (; bytes / scale >= 1024 && unit < SIZES.length - 1; unit++) scale *= 1024;
  return `${Math.floor((bytes / scale) * 10) / 10} ${SIZES[unit]}`;
}

/** `4 min 12 s`: the two largest units. */
export function durationText(seconds: number): string {
  const short = prettyMilliseconds(Math.max(0, Math.round(seconds * 1000)), { unitCount: 2 });
  return short.replace(/([\d.]+)([a-z]+)/g, (_, count: string, unit: string) => `${count} ${UNITS[unit] ?? unit}`);
}

/** `2.0 GiB/s`, or empty where there is nothing to divide. */
export function speedText(bytes: number, seconds: number): string {
  return seconds > 0 && bytes > 0 ? `${sizeText(bytes / seconds)}/s` : '';
}

/** `1 point`, `3 points`. */
export function countText(count: number, singular: string, plural: string = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

const DAY = 86_400;

/** `30 days`, as it was given: years and months are not all alike. */
export function ageText(seconds: number): string {
  return seconds % DAY === 0 ? countText(seconds / DAY, 'day') : durationText(seconds);
}
