import { ACTIONS, type Action } from './actions.ts';
import { disturb } from './disturbances.ts';
import type { SimMachine, SimProcess } from './process.ts';
import { start } from './runs.ts';
import type { World } from './world.ts';

/** Somebody who does one thing after the other, each as a new run. */
interface Actor {
  plan: Action[];
  process: SimProcess | undefined;
  machine: SimMachine;
}

/** One to four actors, each with one to four things to do: all of them at once, in the world's weather. */
export async function act(world: World): Promise<void> {
  const { draw, machines } = world;
  const actors = Array.from({ length: 1 + draw.below(4) }, () => ({
    plan: Array.from({ length: 1 + draw.below(4) }, () => drawAction(world)),
    process: undefined,
    machine: draw.one(machines),
  }));
  await letThem(world, actors);
}

async function letThem(world: World, actors: readonly Actor[]): Promise<void> {
  const { draw, scheduler } = world;
  const isIdle = ({ process }: Actor): boolean => process === undefined || process.state !== 'running';
  const begin = (nobodyElse: boolean): boolean => {
    const waiting = actors.filter((actor) => actor.plan.length > 0 && isIdle(actor));
    if (waiting.length === 0 || (!nobodyElse && draw.below(12) > 0)) return false;
    const actor = draw.one(waiting);
    const action = actor.plan.shift() as Action;
    actor.process = start(world, actor.machine, action, action.onItem ? draw.one(world.items).name : undefined);
    return true;
  };
  await scheduler.run(
    () => actors.every((actor) => actor.plan.length === 0 && isIdle(actor)),
    (nobodyElse) => disturb(world) || begin(nobodyElse),
  );
}

function drawAction({ draw }: World): Action {
  return draw.one(ACTIONS.flatMap((action) => new Array<Action>(action.weight).fill(action)));
}
