import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Random, systemRandom } from '../../src/base/random.ts';
import { isError } from '../../src/index.ts';
import { chosen, fractions, oneOfEach } from '../support/fractions.ts';
import { canMount, type Mount, mountMemory } from '../support/mounts.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';
import { bundle } from '../support/traced-run.ts';
import { perform } from '../support/vault-action.ts';
import { checkAgain, checkLeft, checkOldOrNew } from '../support/vault-scene-checks.ts';
import { type Base, buildBase, copyHome, removeHome, SCENES } from '../support/vault-scenes.ts';
import { prepareStage, type Stage } from '../support/vault-stage.ts';

const temp = tempFolder({ inMemory: true });
/** Milliseconds. */
const LONGEST = 3_600_000;
const IS_LONG = process.env.VHDVAULT_LONG === '1';
const SEED = Number(process.env.VHDVAULT_SEED ?? Date.now() % 1_000_000);
const random = fractions(SEED);
const STEP = 4096;
const LARGE = 256 << 20;
/** More than any of them takes. */
const MOST_STEPS = 40;
const WRITERS = SCENES.filter(({ title }) => !/^(making|restoring)/.test(title));
const PLAYED = IS_LONG ? WRITERS : oneOfEach(WRITERS, 3, random);

let base: Base;
const tally = new Map<string, string[]>();

afterAll(() => {
  for (const [title, ends] of tally) process.stderr.write(`${title.padEnd(46)} ${ends.join(' ')}\n`);
});

describeWhere(canMount, 'file systems cannot be mounted here (no root)', 'a vault on a disk that is full', () => {
  beforeAll(async () => {
    await bundle(temp.fresh('bundle'), 'vault-action.ts');
    base = await buildBase(temp.fresh('base'));
  });

  it.each(PLAYED)(
    `is as before or as after, however little room there is, and all can be done when there is more (VHDVAULT_SEED=${SEED}): $title`,
    async (scene) => {
      const stage = await prepareStage(scene, base, temp.fresh('template'));
      const { seed: _, ...action } = stage.action;
      for (const kind of ['bytes', 'files'] as const) {
        const rooms = Array.from({ length: MOST_STEPS }, (_, n) => n);
        for (const room of IS_LONG ? rooms : chosen(rooms.slice(0, 12), 1, random)) {
          const told = await play({ ...stage, action }, kind, room).catch((error: unknown) => {
            throw new Error(`${room} ${kind}: ${(error as Error).message}`, { cause: error });
          });
          tally.set(scene.title, [...(tally.get(scene.title) ?? []), `${kind}:${room}:${told}`]);
        }
      }
    },
    LONGEST,
  );
});

/** Only the vault is on the full disk. */
async function play(stage: Stage, kind: 'bytes' | 'files', room: number): Promise<string> {
  const home = temp.fresh('place');
  await copyHome(stage.action.home, home);
  const vault = join(home, 'vault');
  await rename(vault, `${vault}-before`);
  const told = await withDisk(vault, async (disk) => {
    await copyHome(`${vault}-before/.`, vault);
    await removeHome(`${vault}-before`);
    return await fill({ ...stage, action: { ...stage.action, home } }, disk, () => {
      if (kind === 'bytes') disk.leave(room * STEP);
      else disk.leaveFiles(room);
    });
  });
  await removeHome(home);
  return told;
}

async function withDisk<T>(path: string, work: (disk: Mount) => Promise<T>): Promise<T> {
  using disk = mountMemory(path, LARGE);
  return await work(disk);
}

async function fill({ scene, action, known }: Stage, disk: Mount, leaveRoom: () => void): Promise<string> {
  const isBackup = action.command.do === 'backup';
  if (!isBackup) leaveRoom();
  const told = await perform(action, isBackup ? { random: onFirstJob(leaveRoom) } : {}).then(
    () => 'done',
    (error: unknown) => {
      if (!isError(error)) throw error;
      return error.code;
    },
  );
  expect(['done', 'NO_SPACE'], 'of exit codes').toContain(told);
  const isDone = await checkOldOrNew(action, known, told);
  disk.leave(LARGE);
  disk.leaveFiles(10_000);
  await checkAgain(action, scene, known, isDone);
  await checkLeft(action, known);
  return told;
}

/** A backup looks first whether there is room: somebody else takes it away when it has drawn the id of its job. */
function onFirstJob(work: () => void): Random {
  let isDone = false;
  return {
    bytes(length) {
      if (length === 16 && !isDone) {
        isDone = true;
        work();
      }
      return systemRandom.bytes(length);
    },
  };
}
