import type { Action } from './actions.ts';
import { judge } from './judge.ts';
import { running, type SimMachine, type SimProcess } from './process.ts';
import { newProcess, type World } from './world.ts';

type Does = Pick<Action, 'name' | 'run'>;

/** Starts one run of a command as a process of its own; the scheduler lets it go on. */
export function start(world: World, machine: SimMachine, action: Does, item?: string): SimProcess {
  const started = newProcess(world, machine, item === undefined ? action.name : `${action.name} ${item}`, item);
  world.scheduler.note(`${started.pid}@${machine.name} ${started.name}: starts`);
  void running
    .run(started, () => action.run(world, started))
    .then(
      () => finish(world, started, undefined),
      (error: unknown) => finish(world, started, error),
    );
  return started;
}

/** One run, and nothing beside it. */
export async function alone(
  world: World,
  action: Does,
  { item, machine = world.draw.one(world.machines) }: { item?: string; machine?: SimMachine } = {},
): Promise<void> {
  const process = start(world, machine, action, item);
  await world.scheduler.run(() => process.state !== 'running');
}

function finish(world: World, process: SimProcess, error: unknown): void {
  const { scheduler } = world;
  process.settled = true;
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  scheduler.note(
    `${process.pid}@${process.machine.name} ${process.name}: ends${error ? ` with ${code} ${message}` : ''}`,
  );
  try {
    judge(world, process, error);
    scheduler.ended(process);
  } catch (violation) {
    // Thrown here, nobody would hear it.
    scheduler.fail(violation as Error);
  }
}
