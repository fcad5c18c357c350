import prettyBytes from 'pretty-bytes';
import prettyMilliseconds from 'pretty-ms';

const UNITS: Readonly<Record<string, string>> = { y: 'y', d: 'd', h: 'h', m: 'min', s: 's', ms: 'ms' };

/** `1.3 GiB`: binary, one decimal at most. */
export function sizeText(bytes: number): string {
  return prettyBytes(bytes, { binary: true, maximumFractionDigits: 1 }).replace('kiB', 'KiB');
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
