import type { ForgetResult, ForgottenPoint, KeptPoint, UnforgetResult } from '../jobs/forget-types.ts';
import { gcText } from './gc-text.ts';
import { type Look, paint } from './look.ts';
import { momentText } from './moment.ts';
import { problemText } from './problem-text.ts';
import { countText } from './quantity.ts';
import { remarkLines } from './remarks.ts';
import { shortPoints } from './short-name.ts';
import { tableLines } from './table.ts';

type Row = Pick<ForgottenPoint, 'item' | 'point' | 'time'>;

/** Of a dry run the whole plan; else what was forgotten, and how to bring it back. `zone`: that of the rules, if one was named. */
export function forgetText(result: ForgetResult, look: Look, zone?: string): string {
  const table = result.dryRun ? planLines(result, zone) : pointLines(result.forgotten, zone);
  // The warnings of the gc are among those of the whole.
  const freed = result.gc === null ? [] : [gcText({ ...result.gc, warnings: [] }, look)];
  const remarks = remarkLines(look, result.warnings, result.notices);
  return [...table, ...remarks, ...sumLines(result, look), ...freed, ...failureLines(result, look)].join('\n');
}

function failureLines({ gcError }: ForgetResult, look: Look): string[] {
  if (gcError === null) return [];
  const { hint, ...problem } = gcError;
  if (problem.code === 'CANCELLED')
    return [problemText({ ...problem, message: 'the gc was cancelled', hint: 'run `vhdvault gc`: it goes on' }, look)];
  const message = `the gc failed: ${problem.message}`;
  return [problemText({ ...problem, message, ...(hint !== null && { hint }) }, look)];
}

export function unforgetText({ unforgotten, warnings, notices }: UnforgetResult, look: Look): string {
  const sum =
    unforgotten.length > 0 ? `${countText(unforgotten.length, 'point')} brought back` : 'nothing to bring back';
  return [...pointLines(unforgotten), ...remarkLines(look, warnings, notices), sum].join('\n');
}

/** Kept and forgotten points among each other, by item and time as the plan has them. */
function planLines({ forgotten, kept }: ForgetResult, zone: string | undefined): string[] {
  const why = kept.length > 0 ? 'no rule keeps it' : 'named';
  const rows = [
    ...forgotten.map((point) => ({ point, cells: ['forget', why] })),
    ...kept.map((point) => ({ point, cells: ['keep', reasonsText(point as KeptPoint, zone)] })),
  ];
  const order = rows.sort((a, b) => compare(a.point.item, b.point.item) || compare(a.point.time, b.point.time));
  if (order.length === 0) return [];
  const short = shortPoints(order.map(({ point }) => point.point));
  const cells = order.map(({ point, cells }) => [...identityCells(point, short, zone), ...cells]);
  return tableLines(cells, { head: ['item', 'point', timeHead(zone), 'plan', 'reasons'] });
}

/** Times in reasons are UTC, those beside them are not. */
function reasonsText({ reasons }: KeptPoint, zone: string | undefined): string {
  return reasons.join(', ').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (time) => momentText(time, zone));
}

function pointLines(points: readonly Row[], zone?: string): string[] {
  if (points.length === 0) return [];
  const short = shortPoints(points.map(({ point }) => point));
  return tableLines(
    points.map((point) => identityCells(point, short, zone)),
    { head: ['item', 'point', timeHead(zone)] },
  );
}

/** Times of day without a word are local ones. */
function timeHead(zone: string | undefined): string {
  return zone === undefined ? 'time' : `time (${zone})`;
}

function identityCells({ item, point, time }: Row, short: (id: string) => string, zone?: string): string[] {
  return [item, short(point), momentText(time, zone)];
}

function sumLines({ dryRun, forgotten, kept, gc }: ForgetResult, look: Look): string[] {
  const [first] = forgotten;
  const others = kept.length > 0 ? `, ${kept.length} kept` : '';
  if (!first) return [`nothing to forget${others}`];
  const count = countText(forgotten.length, 'point');
  if (dryRun) return [`dry run: ${count} would be forgotten${others}`];
  const one = forgotten.length === 1;
  const [them, they] = one ? ['it', 'it holds'] : ['them', 'they hold'];
  const back = one ? `vhdvault unforget ${first.item}@${first.point}` : 'vhdvault unforget ITEM@ID...';
  const until =
    first.expires === null
      ? '; until when is known when the clock is sure again'
      : ` until ${momentText(first.expires)}`;
  const sum = paint(look, 'bold', `${count} forgotten${others}`);
  // By the gc of this run, whose text follows.
  if (gc?.softDelete === 0) return [`${sum}; the gc gave ${them} up, and nothing brings ${them} back`];
  return [
    sum,
    `\`${back}\` brings ${them} back${until}; after that, \`vhdvault gc\` gives ${them} up, and a gc 24 h later frees what only ${they}`,
  ];
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
