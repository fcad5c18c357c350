import type { PlainError } from '../base/errors.ts';
import type { Look } from '../report/look.ts';
import { oneLine, printable, printableJson } from '../report/printable.ts';
import { problemText } from '../report/problem-text.ts';
import type { Outcome, Run } from './command.ts';

/** The version of all JSON documents. */
const SCHEMA = 1;

export function lookOf(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>): Look {
  return { color: stream.isTTY === true && !env.NO_COLOR, now: Date.now() };
}

export function printOutcome(outcome: Outcome, json: boolean, stdout: NodeJS.WriteStream, look: Look): void {
  const text = json ? printableJson({ schema: SCHEMA, ...outcome.result }) : printable(outcome.text(look), look);
  stdout.write(`${text}\n`);
}

/** What happened that needs no action, as a line for people. */
export function noticeText(text: string, { secrets }: Pick<Run, 'secrets'>): string {
  return `note: ${oneLine(secrets.redact(text))}\n`;
}

export function printProblem(
  problem: PlainError,
  json: boolean,
  streams: { stdout: NodeJS.WriteStream; stderr: NodeJS.WriteStream },
  look: Look,
): void {
  if (!json) {
    streams.stderr.write(`${printable(problemText(problem, look), look)}\n`);
    return;
  }
  const { code, message, hint = null, details = {}, stack } = problem;
  const error = { code, message, hint, details, ...(stack === undefined ? {} : { stack }) };
  streams.stdout.write(`${printableJson({ schema: SCHEMA, error })}\n`);
}
