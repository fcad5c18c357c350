import { mkdir, readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCENES, type Scene } from '../support/kill-scenes.ts';
import {
  copied,
  expectDone,
  expectDoneAgain,
  expectMended,
  expectNew,
  expectOldOrNew,
  type Place,
  remove,
} from '../support/scene-checks.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle, type Call, recordCalls, runUntil } from '../support/traced-run.ts';

const temp = tempFolder({ inMemory: true });
/** Milliseconds. */
const LONGEST = 300_000;
const AT_ONCE = 3;
const IS_LONG = process.env.VHDVAULT_LONG === '1';
/** All of them take five minutes; what is left out here is met by power cuts, at every call. */
const KILLED = SCENES.filter(({ isShort }) => isShort || IS_LONG);
const FULL = KILLED.filter((_, i) => i % 2 === 0 || IS_LONG);

interface Told {
  calls: number;
  kills: number;
  errors: number;
  /** What checks found of it, after kills. */
  left: Set<string>;
}

const tally = new Map<string, Told>();

afterAll(() => {
  const rows = [...tally].map(([title, { calls, kills, errors, left }]) =>
    [title.padEnd(58), ...[calls, kills, errors].map((n) => `${n}`.padStart(6)), `  ${[...left].join(' ')}`].join(''),
  );
  if (rows.length > 0) process.stderr.write(`${''.padEnd(59)}calls kills errors  left\n${rows.join('\n')}\n`);
});

describeWithTool('strace', 'an image', () => {
  beforeAll(() => bundle(temp.fresh('bundle')));

  it.each(KILLED)(
    'is the old or the new one wherever it is killed, and it can be done again: $title',
    async (scene) => {
      const { template, calls, told } = await prepared(scene);
      await inLanes(calls, async (call) => {
        const place = await copied(template, temp.fresh('killed'));
        const ended = await runUntil(place.built.action, call, 'KILL');
        expect(ended.killed, `${call.text}: ${ended.stderr}`).toBe(true);
        told.kills++;
        await inContext(call, async () => {
          await expectOldOrNew(place);
          const copy = await copied(place, temp.fresh('mended'));
          for (const code of await expectMended(copy)) told.left.add(code);
          await remove(copy);
          await expectDoneAgain(place);
        });
        await remove(place);
      });
      expect(told.kills).toBe(calls.length);
    },
  );

  it.each(FULL)(
    'is the old or the new one when the disk is full, and no part is left: $title',
    async (scene) => {
      const { template, calls, told } = await prepared(scene);
      const failing = calls.filter(({ name }) => !name.startsWith('unlink'));
      await inLanes(failing, async (call) => {
        const place = await copied(template, temp.fresh('full'));
        const ended = await runUntil(place.built.action, call, 'ENOSPC');
        await inContext(call, async () => {
          // Only tidying up behind what is durable may fail without a word.
          if (ended.stderr === '') await expectNew(place);
          else expect(ended.stderr).toMatch(/^NO_SPACE\n/);
          told.errors++;
          await expectOldOrNew(place);
          expect((await readdir(place.folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
          // What could not be cut off stays, where nothing is left to be done again.
          await expectDoneAgain(place, ended.stderr === '' ? ['VHD_SLACK'] : []);
        });
        await remove(place);
      });
      expect(told.errors).toBe(failing.length);
    },
    LONGEST,
  );
});

/** The calls of a scene that nobody interrupts, which also shows that it does what it should. */
async function prepared(scene: Scene): Promise<{ template: Place; calls: Call[]; told: Told }> {
  const folder = temp.fresh('template');
  await mkdir(folder);
  const template = { folder, built: await scene.build(folder) };
  const whole = await copied(template, temp.fresh('whole'));
  const calls = await recordCalls(whole.built.action, whole.folder);
  expect(calls.length, 'calls that change files').toBeGreaterThan(2);
  await expectDone(whole);
  const told = tally.get(scene.title) ?? { calls: calls.length, kills: 0, errors: 0, left: new Set<string>() };
  tally.set(scene.title, told);
  return { template, calls, told };
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

async function inContext({ text }: Call, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`at ${text.slice(0, 200)}: ${(error as Error).message}`, { cause: error });
  }
}
