import { ACTIONS, type Action } from './actions.ts';
import { disturb } from './disturbances.ts';
import { KEY_RUN } from './key-actions.ts';
import type { SimMachine, SimProcess } from './process.ts';
import { alone, start } from './runs.ts';
import { count, type World } from './world.ts';

/** Somebody who does one thing after the other, each as a new run. */
interface Actor {
  plan: Action[];
  process: SimProcess | undefined;
  machine: SimMachine;
}

/** Who does what: first some things one after the other, in calm weather, then each actor his own, all at once. */
interface Scene {
  name: string;
  before: readonly string[];
  actors: readonly (readonly string[])[];
}

/** The states in which a rule that is left out loses data within a few steps, as a model of the vault's log found. */
const SCENES: readonly Scene[] = [
  {
    name: 'the base of an incremental run is forgotten and collected',
    before: ['backup', 'backup'],
    actors: [
      ['backup', 'backup'],
      ['forget', 'gc', 'gc'],
      ['backup', 'gc'],
    ],
  },
  {
    name: 'what an interrupted run stored is collected',
    before: [],
    actors: [
      ['backup', 'backup', 'backup'],
      ['gc', 'gc', 'gc'],
      ['backup', 'verify'],
    ],
  },
  {
    name: 'two gcs beside writers',
    before: ['backup', 'backup', 'forget'],
    actors: [['gc', 'gc'], ['gc', 'gc'], ['backup', 'forget', 'backup'], ['backup']],
  },
  {
    name: 'points come back while they are given up',
    before: ['backup', 'backup', 'backup', 'forget'],
    actors: [
      ['unforget', 'unforget'],
      ['gc', 'gc'],
      ['forget', 'backup'],
      ['pin', 'read'],
    ],
  },
  {
    name: 'half-empty packs are stored anew beside readers',
    before: ['backup', 'backup', 'backup', 'backup', 'forget by rules'],
    actors: [
      ['gc', 'gc'],
      ['read', 'read', 'verify'],
      ['backup', 'read'],
      ['scrub', 'repair'],
    ],
  },
  {
    name: 'packs are quarantined beside gcs and writers',
    before: ['backup', 'backup', 'forget'],
    actors: [
      ['quarantine', 'quarantine', 'repair'],
      ['gc', 'gc', 'gc'],
      ['backup', 'forget', 'backup'],
      ['gc', 'read', 'backup'],
    ],
  },
  {
    name: 'keys change',
    before: ['backup', KEY_RUN],
    actors: [[KEY_RUN, KEY_RUN, KEY_RUN], ['backup', 'read'], [KEY_RUN, 'backup'], ['gc']],
  },
];

/** Half of the worlds play a scene; in the others one to four actors do whatever comes to their minds. */
export async function act(world: World): Promise<void> {
  const { draw, machines, weather } = world;
  const scene = draw.percent(50) ? draw.one(SCENES) : undefined;
  count(world, `scene: ${scene?.name ?? 'whatever comes'}`);
  weather.isCalm = true;
  for (const name of scene?.before ?? []) {
    const action = actionOf(name);
    await alone(world, action, action.onItem ? { item: draw.one(world.items).name } : {});
  }
  weather.isCalm = false;
  const plans = scene?.actors.map((names) => names.map(actionOf)) ?? drawPlans(world);
  await letThem(
    world,
    plans.map((plan) => ({ plan: [...plan], process: undefined, machine: draw.one(machines) })),
  );
}

function drawPlans(world: World): Action[][] {
  const { draw } = world;
  const length = 1 + draw.below(4);
  return Array.from({ length }, () => Array.from({ length: 1 + draw.below(4) }, () => drawAction(world)));
}

function actionOf(name: string): Action {
  const found = ACTIONS.find((action) => action.name === name);
  if (!found) throw new Error(`nobody can do ${name}`);
  return found;
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
