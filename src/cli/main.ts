import { type ErrorCode, isError, type PlainError, systemCode, toPlain } from '../base/errors.ts';
import type { Outcome, Run } from './command.ts';
import { DONE, exitCodeOfError, exitCodeOfResult } from './exit-code.ts';
import { parseArguments } from './parse-arguments.ts';
import { lookOf, printOutcome, printProblem } from './print.ts';
import { Secrets } from './secrets.ts';
import { listenForSignals } from './signals.ts';
import { withUsage } from './usage-problem.ts';

/** The program: arguments and environment in, text and exit code out. */
export async function main(): Promise<void> {
  const words = process.argv.slice(2);
  const { env, stdin, stdout, stderr } = process;
  for (const stream of [stdout, stderr]) stream.on('error', ignoreClosedReader);
  const json = wantsJson(words);
  const secrets = new Secrets();
  secrets.keep(env.VHDVAULT_PASSPHRASE);
  const signals = listenForSignals();
  const ofSignal = (code: ErrorCode | undefined): number | undefined =>
    code === 'CANCELLED' ? signals.exitCode : undefined;
  try {
    const outcome = await perform(words, { env, cwd: process.cwd(), signal: signals.signal, stdin, stderr, secrets });
    if ('print' in outcome) stdout.write(`${outcome.print}\n`);
    else printOutcome(outcome, json, stdout, lookOf(stdout, env));
    if ('print' in outcome) process.exitCode = DONE;
    else process.exitCode = ofSignal(outcome.result.gcError?.code) ?? exitCodeOfResult(outcome.result);
  } catch (error) {
    const problem = problemOf(error, words, env.VHDVAULT_DEBUG === '1');
    printProblem(secrets.redactError(problem), json, { stdout, stderr }, lookOf(stderr, env));
    process.exitCode = ofSignal(problem.code) ?? exitCodeOfError(problem.code);
  }
}

async function perform(words: readonly string[], run: Run): Promise<Outcome | { print: string }> {
  const parsed = parseArguments(words);
  return 'print' in parsed ? parsed : parsed.command.run(parsed.args, run);
}

/** Usage errors need it before the arguments are understood. */
function wantsJson(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  const options = end < 0 ? words : words.slice(0, end);
  return options.some((word) => word === '--json' || word === '--json=true');
}

function problemOf(error: unknown, words: readonly string[], debug: boolean): PlainError {
  const { stack, ...problem } = toPlain(isError(error) ? withUsage(error, words) : error);
  return debug && stack !== undefined ? { ...problem, stack } : problem;
}

/** `vhdvault points | head -1` is no failure, nor is a terminal that was closed. */
function ignoreClosedReader(error: Error): void {
  if (!['EPIPE', 'EIO'].includes(systemCode(error) ?? '')) throw error;
}
