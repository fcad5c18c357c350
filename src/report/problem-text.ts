import type { PlainError } from '../base/errors.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';

/** An error as people read it: what, its code, the cure; for wrong usage the usage line; for a bug, where it is known. */
export function problemText(problem: PlainError, look: Look): string {
  const lines = [
    `${paint(look, 'red', 'vhdvault:')} ${oneLine(problem.message)} ${paint(look, 'dim', `[${problem.code}]`)}`,
  ];
  const usage = problem.details?.usage;
  if (problem.code === 'USAGE' && typeof usage === 'string') lines.push(`usage: ${oneLine(usage)}`);
  if (problem.hint !== undefined) lines.push(oneLine(problem.hint));
  if (problem.stack !== undefined) lines.push(problem.stack);
  return lines.join('\n');
}
