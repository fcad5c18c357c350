import { afterAll, beforeAll, expect, it } from 'vitest';
import type { FileCall } from '../support/call-faults.ts';
import { type CutDisk, canCut, hasDiskTools, makeDisk, mountDisk } from '../support/cut-disk.ts';
import { chosen, fractions, oneOfEach } from '../support/fractions.ts';
import { stopAfter } from '../support/stopped-run.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeIf, describeWhere } from '../support/tool.ts';
import { bundle, endOf, startUnder } from '../support/traced-run.ts';
import { checkAgain, checkLeft, checkOldOrNew, tellingOf } from '../support/vault-scene-checks.ts';
import { type Base, buildBase, copyHome, removeHome, SCENES } from '../support/vault-scenes.ts';
import { moved, prepareStage, type Stage } from '../support/vault-stage.ts';

const temp = tempFolder({ inMemory: true });
/** Milliseconds. */
const LONGEST = 14_400_000;
const IS_LONG = process.env.VHDVAULT_LONG === '1';
const SEED = Number(process.env.VHDVAULT_SEED ?? Date.now() % 1_000_000);
const random = fractions(SEED);
const WRITERS = SCENES.filter(({ title }) => !title.startsWith('restoring'));
const PLAYED = IS_LONG ? WRITERS : oneOfEach(WRITERS, 3, random);
const END = 'the end';

let base: Base;
const tally = new Map<string, string>();

afterAll(() => {
  for (const [title, told] of tally) process.stderr.write(`${title.padEnd(46)} ${told}\n`);
});

const NO_TOOLS = 'mkfs.ext4 or python3 is not installed';
const NO_RIGHTS = 'no disk can be mounted here that the power could be cut of';
const [describeHere, otherwise] = canCut ? ([describeIf, NO_TOOLS] as const) : ([describeWhere, NO_RIGHTS] as const);

describeHere(canCut && hasDiskTools, otherwise, 'a vault whose power goes', () => {
  beforeAll(async () => {
    await bundle(temp.fresh('bundle'), 'vault-action.ts');
    base = await buildBase(temp.fresh('base'));
  });

  it.each(PLAYED)(
    `has all that was told to be done, and the rest as before or as after (VHDVAULT_SEED=${SEED}): $title`,
    async (scene) => {
      const stage = await prepareStage(scene, base, temp.fresh('template'));
      const image = await imageOf(stage);
      // SQLite makes its shared memory larger many times.
      const moments = stage.calls.filter(({ path }) => !path.endsWith('-shm'));
      const played = IS_LONG ? moments : chosen(moments, 1, random);
      const ends = { old: 0, new: 0 };
      for (const moment of [...played, END] as const) {
        const isDone = await play(stage, image, moment).catch((error: unknown) => {
          const text = moment === END ? END : moment.text.slice(0, 200);
          throw new Error(`after ${text}: ${(error as Error).message}`, { cause: error });
        });
        ends[isDone ? 'new' : 'old']++;
      }
      tally.set(scene.title, `${played.length + 1} cuts: ${ends.old} old, ${ends.new} new`);
      expect(ends.old + ends.new).toBe(played.length + 1);
    },
    LONGEST,
  );
});

/** The home of a scene, on a disk. */
async function imageOf({ action }: Stage): Promise<string> {
  const [file, path] = [temp.fresh('image'), temp.fresh('mount')];
  makeDisk(file);
  using _disk = mountDisk(file, path);
  await copyHome(action.home, `${path}/home`);
  return file;
}

/** Runs a scene, and cuts the power when a call is done. Returns whether all was done. */
async function play(stage: Stage, image: string, moment: FileCall | typeof END): Promise<boolean> {
  const [file, path] = [temp.fresh('disk'), temp.fresh('mount')];
  await copyHome(image, file);
  try {
    using disk = mountDisk(file, path);
    return await playOn(disk, stage, `${path}/home`, moment);
  } finally {
    await removeHome(file);
  }
}

async function playOn(disk: CutDisk, stage: Stage, home: string, moment: FileCall | typeof END): Promise<boolean> {
  const { scene, known } = stage;
  const action = moved(stage.action, stage.action.home, home);
  let told = 'killed';
  if (moment === END) {
    told = tellingOf(await endOf(startUnder('env', [], action)));
    disk.cut();
  } else {
    const run = await stopAfter(action, moved(moment, stage.action.home, home), temp.fresh('log'));
    disk.cut();
    await run.kill();
  }
  disk.comeBack();
  const isDone = await checkOldOrNew(action, known, told);
  await checkAgain(action, scene, known, isDone);
  await checkLeft(action, known);
  return isDone;
}
