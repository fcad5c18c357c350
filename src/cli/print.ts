import type { PlainError } from '../base/errors.ts';
import type { Look } from '../report/look.ts';
import { problemText } from '../report/problem-text.ts';
import type { Outcome } from './command.ts';

/** The version of all JSON documents. */
const SCHEMA = 1;

export function lookOf(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>): Look {
  return { color: stream.isTTY === true && !env.NO_COLOR, now: Date.now() };
}

export function printOutcome(outcome: Outcome, json: boolean, stdout: NodeJS.WriteStream, look: Look): void {
  const text = json ? JSON.stringify({ schema: SCHEMA, ...outcome.result }) : outcome.text(look);
  stdout.write(`${text}\n`);
}

export function printProblem(
  problem: PlainError,
  json: boolean,
  streams: { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  look: Look,
): void {
  if (!json) {
    streams.stderr.write(`${problemText(problem, look)}\n`);
    return;
  }
  const { code, message, hint = null, details = {}, stack } = problem;
  const error = { code, message, hint, details, ...(stack === undefined ? {} : { stack }) };
  streams.stdout.write(`${JSON.stringify({ schema: SCHEMA, error })}\n`);
}
