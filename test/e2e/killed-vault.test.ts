import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fault, type FileCall, faultsOf, runWithFault } from '../support/call-faults.ts';
import { chosen, fractions, oneOfEach } from '../support/fractions.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle } from '../support/traced-run.ts';
import { checkAgain, checkLeft, checkLost, checkOldOrNew, tellingOf } from '../support/vault-scene-checks.ts';
import { type Base, buildBase, copyHome, removeHome, SCENES } from '../support/vault-scenes.ts';
import { moved, prepareStage, type Stage } from '../support/vault-stage.ts';

const temp = tempFolder({ inMemory: true });
/** Milliseconds. */
const LONGEST = 14_400_000;
const IS_LONG = process.env.VHDVAULT_LONG === '1';
const AT_ONCE = IS_LONG ? 2 : 1;
const SEED = Number(process.env.VHDVAULT_SEED ?? Date.now() % 1_000_000);
const random = fractions(SEED);
/** All calls of all scenes, in all ways, take hours: each run takes others. */
const PLAYED = IS_LONG ? SCENES : oneOfEach(SCENES, 5, random);
const FAULTS_OF_EACH = 2;
/** To look at some again: `KILL at rename`. */
const ONLY = new RegExp(process.env.VHDVAULT_FAULT ?? '');

interface Told {
  calls: number;
  runs: number;
  /** How it ended to how often. */
  ends: Map<string, number>;
}

let base: Base;
const tally = new Map<string, Told>();

afterAll(() => {
  const lines = [...tally].map(([title, { calls, runs, ends }]) => {
    const told = [...ends].toSorted().map(([end, count]) => `${count} ${end}`);
    return `${title.padEnd(46)}${`${calls}`.padStart(5)} calls ${`${runs}`.padStart(5)} runs: ${told.join('; ')}`;
  });
  if (lines.length > 0) process.stderr.write(`VHDVAULT_SEED=${SEED}\n${lines.join('\n')}\n`);
});

describeWithTool('strace', 'a vault', () => {
  beforeAll(async () => {
    await bundle(temp.fresh('bundle'), 'vault-action.ts');
    base = await buildBase(temp.fresh('base'));
  });

  it.each(PLAYED)(
    `is as before or as after, whichever call goes wrong, and the same can be done again (VHDVAULT_SEED=${SEED}): $title`,
    async (scene) => {
      const stage = await prepareStage(scene, base, temp.fresh('template'));
      const told: Told = { calls: stage.calls.length, runs: 0, ends: new Map() };
      tally.set(scene.title, told);
      const plans = stage.calls
        .flatMap((call) => faultsOf(call).map((fault) => ({ call, fault })))
        // What a restore writes nobody reads back.
        .filter(({ fault }) => fault !== 'lost' || stage.action.command.do !== 'restore')
        .filter(({ call, fault }) => ONLY.test(`${fault} at ${call.text}`));
      const played = IS_LONG ? plans : chosen(plans, FAULTS_OF_EACH, random);
      const problems: string[] = [];
      await inLanes(played, async ({ call, fault }) => {
        const home = temp.fresh('place');
        await copyHome(stage.action.home, home);
        try {
          const end = `${fault}: ${await play(stage, home, call, fault)}`;
          told.ends.set(end, (told.ends.get(end) ?? 0) + 1);
        } catch (error) {
          const problem = `${fault} at ${call.text.slice(0, 300)}: ${(error as Error).message}`;
          problems.push(problem);
          // All of them take most of an hour.
          if (IS_LONG) process.stderr.write(`${scene.title}: ${problem}\n`);
        }
        told.runs++;
        await removeHome(home);
      });
      await removeHome(stage.action.home);
      expect(problems.join('\n')).toBe('');
      expect(told.runs).toBe(played.length);
    },
    LONGEST,
  );
});

/** One fault, and all that must hold after it; tells how it ended. */
async function play(stage: Stage, home: string, call: FileCall, fault: Fault): Promise<string> {
  const { scene, known } = stage;
  const action = moved(stage.action, stage.action.home, home);
  const ended = await runWithFault(action, moved(call, stage.action.home, home), fault, home);
  if (!ended.isHit) throw new Error(`the call was not hit: ${ended.stdout}${ended.stderr}`);
  const told = tellingOf(ended);
  if (fault === 'lost') return `noticed by ${await checkLost(home, known, told)}`;
  const isDone = await checkOldOrNew(action, known, told);
  await checkAgain(action, scene, known, isDone);
  await checkLeft(action, known);
  return `${told}, ${isDone ? 'new' : 'old'}`;
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}
