/**
 * `npm run test:simulator -- --seeds 20000 --from 1`: lives through so many worlds, on all cores. `--seed N` lives through
 * one, `--trace` prints its every step. `--flaw 'sync of packs does nothing'`: on a file system that breaks a promise; `--no-links`: on one without
 * link(2), where a vault takes one writer at a time.
 */
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { runCampaign } from './campaign.ts';
import { FLAWS, type Flaw } from './durable-files.ts';
import type { Outcome } from './simulate.ts';

const TOLD_STEPS = 40;
const MOST_VIOLATIONS = 20;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    seed: { type: 'string' },
    trace: { type: 'boolean', default: false },
    flaw: { type: 'string' },
    'no-links': { type: 'boolean', default: false },
    stride: { type: 'string' },
  },
});
const flaw = values.flaw === undefined ? undefined : flawOf(values.flaw);
const file = { flaw, hasLinks: !values['no-links'] };
const one = values.seed !== undefined;
const [from, count] = [numberOf(values.seed ?? values.from), one ? 1 : numberOf(values.seeds)];

/** Of the processes that this one started; seconds. */
let cpu = 0;

if (values.stride !== undefined) await runShare(numberOf(values.stride));
else await runAll();

interface Told {
  seed: number;
  violation: string | undefined;
  steps: readonly string[];
  counts: [string, number][];
}

/** In a process of its own: tells its parent of every seed. */
async function runShare(stride: number): Promise<void> {
  await runCampaign({
    ...{ from, count, stride, ...file },
    onOutcome(outcome) {
      process.send?.(told(outcome, TOLD_STEPS));
      return true;
    },
  });
  // What was sent before has arrived when this has.
  if (process.send) await new Promise((resolve) => process.send?.({ cpu: cpuSeconds() }, resolve));
  if (process.connected) process.disconnect();
}

async function runAll(): Promise<void> {
  const began = performance.now();
  const counts = new Map<string, number>();
  const failed: number[] = [];
  let done = 0;
  const listen = ({ seed, violation, steps, counts: found }: Told): boolean => {
    done++;
    for (const [what, times] of found) counts.set(what, (counts.get(what) ?? 0) + times);
    if (violation !== undefined) failed.push(seed);
    if (violation !== undefined || values.trace) {
      process.stdout.write(`${steps.join('\n')}\nseed ${seed}: ${violation ?? 'all was well'}\n\n`);
    }
    if (failed.length === MOST_VIOLATIONS) for (const share of shares) share.kill();
    if (done % 100 === 0 && process.stderr.isTTY) process.stderr.write(`\r${done} of ${count}`);
    return true;
  };
  const shares: { kill(): void }[] = [];
  if (one) await runCampaign({ from, count, ...file, onOutcome: (outcome) => listen(told(outcome)) });
  else await Promise.all(startShares(shares, listen));
  const lines = [...counts].sort().map(([what, times]) => `${String(times).padStart(8)}  ${what}`);
  const seconds = (performance.now() - began) / 1000;
  lines.push(`${done} seeds from ${from} in ${seconds.toFixed(0)} s (${(cpu + cpuSeconds()).toFixed(0)} s of CPU)`);
  lines.push(failed.length === 0 ? 'no violation' : `${failed.length} VIOLATIONS: seeds ${failed.join(', ')}`);
  if (done < count) lines.push(`ONLY ${done} of ${count} seeds were lived through`);
  process.stdout.write(`${lines.join('\n')}\n`);
  if (failed.length > 0 || done < count) process.exitCode = 1;
}

function startShares(shares: { kill(): void }[], listen: (message: Told) => boolean): Promise<unknown>[] {
  const stride = Math.min(availableParallelism(), count);
  return Array.from({ length: stride }, (_, n) => {
    const words = ['--from', `${from + n}`, '--seeds', `${count - n}`, '--stride', `${stride}`];
    const share = fork(
      import.meta.filename,
      [
        ...words,
        ...(values['no-links'] ? ['--no-links'] : []),
        ...(values.flaw === undefined ? [] : ['--flaw', values.flaw]),
      ],
      { stdio: 'inherit' },
    );
    shares.push(share);
    share.on('message', (message) => {
      if ('cpu' in (message as object)) cpu += (message as { cpu: number }).cpu;
      else listen(message as Told);
    });
    return new Promise<void>((resolve) => {
      share.once('exit', (code, signal) =>
        process.stdout.write(code === 0 ? '' : `a share ended with ${signal ?? code}\n`),
      );
      // Behind its last message, other than `exit`.
      share.once('disconnect', resolve);
    });
  });
}

function told({ seed, violation, trace, counts }: Outcome, most = Number.POSITIVE_INFINITY): Told {
  return {
    seed,
    violation,
    steps: violation === undefined && most < trace.length ? [] : trace.slice(-most),
    counts: [...counts],
  };
}

function flawOf(name: string): Flaw {
  const found = FLAWS[name];
  if (!found) throw new Error(`no such flaw: there are ${Object.keys(FLAWS).join('; ')}`);
  return found;
}

function numberOf(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 0) throw new Error(`${text} is no number of seeds`);
  return number;
}

/** Of this process alone. */
function cpuSeconds(): number {
  const { userCPUTime, systemCPUTime } = process.resourceUsage();
  return (userCPUTime + systemCPUTime) / 1e6;
}
