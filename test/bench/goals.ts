import { markdownTable } from './markdown.ts';

/** A figure that was aimed at, and what came of it. Undefined where a program is missing. */
export interface Goal {
  work: string;
  /** What is compared, as `times as fast as restic`. */
  measure: string;
  value: number | undefined;
  limit: number | undefined;
  is: 'at least' | 'at most';
  unit?: string;
}

/** So many times as fast as (or smaller than) a rival. */
export function timesBetter(
  work: string,
  rival: string,
  { theirs, ours, limit }: { theirs: number | undefined; ours: number | undefined; limit: number },
): Goal {
  const value = theirs !== undefined && ours !== undefined ? theirs / ours : undefined;
  return { work, measure: `${rival}, times as long`, value, limit, is: 'at least' };
}

/** At most so many times as much as a yardstick. */
export function timesOf(
  work: string,
  yardstick: string,
  { theirs, ours, limit }: { theirs: number | undefined; ours: number | undefined; limit: number },
): Goal {
  const value = theirs !== undefined && ours !== undefined ? ours / theirs : undefined;
  return { work, measure: `times ${yardstick}`, value, limit, is: 'at most' };
}

/** All goals, the missed ones told by how much. */
export function goalTable(goals: readonly Goal[]): string[] {
  const rows = goals.map((goal) => [
    goal.work,
    goal.measure,
    goal.limit === undefined ? '' : `${goal.is} ${short(goal.limit)}${goal.unit ?? ''}`,
    goal.value === undefined ? '' : `${short(goal.value)}${goal.unit ?? ''}`,
    outcome(goal),
  ]);
  return markdownTable(['work', 'measure', 'aim', 'here', ''], rows, 'lllrl');
}

function outcome({ value, limit, is }: Goal): string {
  if (value === undefined || limit === undefined) return 'not measured';
  const short = is === 'at least' ? (limit - value) / limit : (value - limit) / limit;
  return short <= 0 ? 'met' : `**missed by ${Math.max(1, Math.round(short * 100))} %**`;
}

function short(value: number): string {
  return value >= 100 ? value.toFixed(0) : Number(value.toFixed(2)).toString();
}
