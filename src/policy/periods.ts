import type { Zone } from './zone.ts';

/** The rules that keep one point of each hour, day, ... */
export const PERIOD_RULES = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;
export type PeriodRule = (typeof PERIOD_RULES)[number];

/** An instant, and what the clocks show then. */
export interface Moment {
  time: number;
  local: number;
}

/** Hours, days, ... of a zone. A period is a number; of two, the later one is greater. */
export interface Periods {
  /** One of them, in words. */
  noun: string;
  of(moment: Moment): number;
  /** The periods just before and just after one. */
  before(period: number): number;
  after(period: number): number;
  text(period: number): string;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The periods of each rule, in a zone. */
export function periodsIn(zone: Zone): Readonly<Record<PeriodRule, Periods>> {
  return {
    hourly: hoursIn(zone),
    daily: daysIn(zone),
    // The first of January 1970 was a Thursday, and the week's number is its Thursday's.
    weekly: counted('week', ({ local }) => Math.floor((local / DAY + 3) / 7), weekText),
    monthly: counted('month', ({ local }) => monthOf(new Date(local)), monthText),
    yearly: counted('year', ({ local }) => new Date(local).getUTCFullYear(), yearText),
  };
}

function counted(noun: string, of: Periods['of'], text: Periods['text']): Periods {
  return { noun, of, before: (period) => period - 1, after: (period) => period + 1, text };
}

/**
 * An hour is what the clocks show as one, at one offset: the hour that comes twice in autumn is two, the skipped one is none.
 * Its number is its first instant, which is not always a full hour: where clocks are moved by half an hour, an hour is cut.
 */
function hoursIn(zone: Zone): Periods {
  const { offsetAt } = zone;
  const startOf = (time: number): number => {
    const offset = offsetAt(time);
    const start = Math.floor((time + offset) / HOUR) * HOUR - offset;
    return offsetAt(start) === offset ? start : firstChange(zone, start, time);
  };
  return {
    noun: 'hour',
    of: ({ time }) => startOf(time),
    before: (start) => startOf(start - 1),
    after: (start) => {
      const offset = offsetAt(start);
      const end = (Math.floor((start + offset) / HOUR) + 1) * HOUR - offset;
      return offsetAt(end - 1) === offset ? end : firstChange(zone, start, end - 1);
    },
    text: (start) => {
      const offset = offsetAt(start);
      const local = new Date(start + offset);
      return `${dateText(local)} ${two(local.getUTCHours())}:00${offsetText(offset)}`;
    },
  };
}

/** The first instant after `from`, up to `to`, with another offset. */
function firstChange({ offsetAt }: Zone, from: number, to: number): number {
  const offset = offsetAt(from);
  let [same, other] = [from, to];
  while (other - same > 1) {
    const middle = Math.floor((same + other) / 2);
    if (offsetAt(middle) === offset) same = middle;
    else other = middle;
  }
  return other;
}

/** Days of the calendar. Where the date line moved, one is missing: Apia went from the 29th to the 31st of December 2011. */
function daysIn(zone: Zone): Periods {
  const isThere = (day: number): boolean => {
    const noon = zone.instantOf((day + 0.5) * DAY);
    return Math.floor((noon + zone.offsetAt(noon)) / DAY) === day;
  };
  return {
    noun: 'day',
    of: ({ local }) => Math.floor(local / DAY),
    before: (day) => (isThere(day - 1) ? day - 1 : day - 2),
    after: (day) => (isThere(day + 1) ? day + 1 : day + 2),
    text: (day) => dateText(new Date(day * DAY)),
  };
}

/** `2026-W47`, by ISO 8601: the year is that of the week's Thursday. */
function weekText(week: number): string {
  const thursday = new Date(week * 7 * DAY);
  const year = thursday.getUTCFullYear();
  const number = Math.floor((week * 7 - new Date(thursday).setUTCMonth(0, 1) / DAY) / 7) + 1;
  return `${yearText(year)}-W${two(number)}`;
}

function monthOf(date: Date): number {
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function monthText(month: number): string {
  const year = Math.floor(month / 12);
  return `${yearText(year)}-${two(month - year * 12 + 1)}`;
}

function dateText(date: Date): string {
  return `${monthText(monthOf(date))}-${two(date.getUTCDate())}`;
}

function yearText(year: number): string {
  return String(year).padStart(4, '0');
}

/** `+01:00`; the local mean times of old had seconds. */
function offsetText(offset: number): string {
  const seconds = Math.abs(offset) / 1000;
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, ...(seconds % 60 ? [seconds % 60] : [])];
  return `${offset < 0 ? '-' : '+'}${parts.map(two).join(':')}`;
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}
