import { VhdvaultError } from '../base/errors.ts';
import { GIB, KIB, MIB, TIB } from '../base/units.ts';
import { parseDuration as parseCalendarDuration } from '../policy/duration.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KiB: KIB,
  MiB: MIB,
  GiB: GIB,
  TiB: TIB,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
};

/** `131072`, `128KiB`, `1.5 GiB`, `2TB` -> bytes. */
export function parseSize(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(text.trim());
  const unit = match && UNITS[match[2]!];
  const bytes = match && unit ? Number(match[1]) * unit : Number.NaN;
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new VhdvaultError('USAGE', `${option} is no size: "${text}"`, {
    hint: 'write bytes, or a number with KiB, MiB, GiB, TiB (binary) or KB, MB, GB, TB (decimal), as 128KiB',
    details: { option, value: text },
  });
}

/** `--limit-rate 50MB` -> bytes per second, for who takes such options. @throws USAGE */
export function rateOf(args: { 'limit-rate'?: string | undefined }): { limitRate?: number } {
  const text = args['limit-rate'];
  return text === undefined ? {} : { limitRate: parseSize('--limit-rate', text.replace(/\/s$/, '')) };
}

const SECONDS: Readonly<Record<string, number>> = { '': 1, s: 1, m: 60, min: 60, h: 3600, d: 86_400, w: 604_800 };

/** `90`, `90s`, `10m`, `1.5 h`, `14d`, `2w` -> milliseconds. */
export function parseDuration(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(min|[a-z]?)$/.exec(text.trim());
  const unit = match && SECONDS[match[2]!];
  const milliseconds = match && unit ? Math.round(Number(match[1]) * unit * 1000) : Number.NaN;
  if (Number.isSafeInteger(milliseconds) && milliseconds > 0) return milliseconds;
  throw new VhdvaultError('USAGE', `${option} is no duration: "${text}"`, {
    hint: 'write seconds, or a number with s, m (minutes), h, d or w, as 90s, 10m, 1h',
    details: { option, value: text },
  });
}

/** `30d`, `0s`, `1d12h` -> milliseconds. Months are of different lengths, and here no calendar tells which are meant. @throws USAGE */
export function parseSpan(option: string, text: string): number {
  const { months, milliseconds } = parseCalendarDuration(text, option);
  if (months === 0) return milliseconds;
  throw new VhdvaultError('USAGE', `${option} takes no months or years: "${text}"`, {
    hint: `write days, as ${option} 30d`,
    details: { option, value: text },
  });
}

/** A whole number from 0, of points to keep. */
export function parseKeepCount(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new VhdvaultError('USAGE', `${option} is no whole number: "${text}"`, {
    hint: `write how many to keep, as ${option} 7; with 0 the rule is not used`,
    details: { option, value: text },
  });
}

/** `10%`, `0.5 %`, `10` -> 10: more than 0, at most 100. */
export function parsePercent(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?%?$/.exec(text.trim());
  const percent = match ? Number(match[1]) : 0;
  if (percent > 0 && percent <= 100) return percent;
  throw new VhdvaultError('USAGE', `${option} is no share: "${text}"`, {
    hint: `write more than 0 and at most 100 percent, as ${option} 10%`,
    details: { option, value: text },
  });
}

/** A whole number from 1. */
export function parseCount(option: string, text: string): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (count >= 1) return count;
  throw new VhdvaultError('USAGE', `${option} is no whole number from 1: "${text}"`, {
    hint: `write it as ${option} 4`,
    details: { option, value: text },
  });
}
