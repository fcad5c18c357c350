import type { PlainError } from '../base/errors.ts';
import { type Look, paint } from './look.ts';

/** An error as people read it: what, its code, the cure; for wrong usage the usage line; for a bug, where it is known. */
export function problemText(problem: PlainError, look: Look): string {
  const lines = [`${paint(look, 'red', 'vhdvault:')} ${problem.message} ${paint(look, 'dim', `[${problem.code}]`)}`];
  const usage = problem.details?.usage;
  if (problem.code === 'USAGE' && typeof usage === 'string') lines.push(`usage: ${usage}`);
  if (problem.hint !== undefined) lines.push(problem.hint);
  if (problem.stack !== undefined) lines.push(problem.stack);
  return lines.join('\n');
}
