import { type ErrorCode, isError } from '../../src/base/errors.ts';
import { QUARANTINED } from './gc-actions.ts';
import { KEY_RUN } from './key-actions.ts';
import { overlap, type SimProcess, type Trouble } from './process.ts';
import { Violation } from './scheduler.ts';
import { count, type World } from './world.ts';

/** How a run may fail when this happened to it. */
const EXCUSES: Readonly<Record<Trouble, readonly ErrorCode[]>> = {
  fault: ['IO', 'NO_SPACE', 'OUTCOME_UNKNOWN'],
  full: ['NO_SPACE'],
  source: ['SOURCE_CHANGED'],
  cache: ['IO', 'NOT_FOUND'],
  cancelled: ['CANCELLED'],
  slept: [],
};

/** What a run may say at any time, since nobody knows what the others left of what it asks for. */
const REFUSALS: Readonly<Record<string, readonly ErrorCode[]>> = {
  forget: ['LATEST_POINT', 'NO_SUCH_ITEM', 'NO_SUCH_POINT', 'POINT_PINNED', 'POINT_PROTECTED'],
  'forget by rules': ['NO_SUCH_ITEM'],
  unforget: ['NO_SUCH_ITEM', 'NO_SUCH_POINT'],
  pin: ['NO_SUCH_ITEM', 'NO_SUCH_POINT'],
  unpin: ['NO_SUCH_ITEM', 'NO_SUCH_POINT'],
  protect: ['MIN_RETENTION'],
};

/** Where a pack may not be relied on, until it is healed or found whole. */
const WHILE_QUARANTINED: Readonly<Record<string, readonly ErrorCode[]>> = {
  read: ['VAULT_DAMAGED'],
  gc: ['GC_BLOCKED'],
};

/** Of those who decide by the age of points. */
const ASK_THE_CLOCK: readonly string[] = ['forget', 'forget by rules', 'protect', 'gc'];

const ONE_AT_A_TIME: readonly string[] = ['gc', 'repair'];

/** Beside another run of the same item. */
const CONTENTION: readonly ErrorCode[] = ['ITEM_LOCKED', 'JOB_CLOSED'];

function besideKeyRun({ processes }: World, process: SimProcess): boolean {
  return processes.some((other) => other.name === KEY_RUN && overlap(other, process));
}

/** A run ended so. @throws Violation when it had no reason to fail like this */
export function judge(world: World, process: SimProcess, error: unknown): void {
  if (process.state === 'dead') return;
  if (error instanceof Violation) throw new Violation(`${process.pid} ${process.name}: ${error.message}`);
  count(world, `${process.name} ${error === undefined ? 'succeeded' : isError(error) ? error.code : 'UNTYPED'}`);
  const left = [...process.databases].filter(({ isOpen }) => isOpen).length + process.openFiles.size;
  if (left > 0) throw new Violation(`${process.pid} ${process.name} left ${left} files open`);
  if (error === undefined || isExcused(world, process, error)) return;
  const { stack } = error as Error;
  const cause = (error as Error).cause as Error | undefined;
  throw new Violation(
    `${process.pid} ${process.name} failed without a reason: ${isError(error) ? error.code : 'untyped'} ${stack}${cause ? `\ncaused by ${cause.stack}` : ''}`,
  );
}

function isExcused(world: World, process: SimProcess, error: unknown): boolean {
  if (!isError(error) || error.code === 'BUG') return false;
  const isContended =
    (process.item !== undefined || !world.files.hasLinks) &&
    world.processes.some((other) => (other.item === process.item || !world.files.hasLinks) && overlap(other, process));
  const beside = (name: string): boolean =>
    world.processes.some((other) => other.name === name && overlap(other, process));
  const codes = [...process.troubles].flatMap((trouble) => EXCUSES[trouble]);
  codes.push(...(REFUSALS[process.name] ?? []));
  if (ASK_THE_CLOCK.includes(process.name) && world.counts.has('clock jump')) codes.push('CLOCK_DOUBTED');
  if (process.name === 'gc' && process.troubles.has('fault')) codes.push('GC_BLOCKED');
  if (ONE_AT_A_TIME.includes(process.name) && ONE_AT_A_TIME.some(beside)) codes.push('ITEM_LOCKED', 'JOB_CLOSED');
  if (world.counts.has(QUARANTINED)) codes.push(...(WHILE_QUARANTINED[process.name] ?? []));
  if (besideKeyRun(world, process)) codes.push('VAULT_KEY_WRONG');
  if (process.name === KEY_RUN && besideKeyRun(world, process)) codes.push('VAULT_KEY_REFUSED', 'NO_SUCH_SLOT');
  if (codes.includes(error.code) || (isContended && CONTENTION.includes(error.code))) return true;
  // The disk was made smaller, and ends before what is read.
  if (process.troubles.has('source') && isError(error, 'IO') && /too early/.test(error.message)) return true;
  // Its heartbeat and the one who took it for dead met: the lock is its own again, and what it was writing is gone.
  return isContended && isError(error, 'NOT_FOUND') && /staging\//.test(error.message);
}
