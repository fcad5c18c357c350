import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { stampOf } from '../../src/image/merge-journal.ts';
import { SCENES, type Scene } from '../support/kill-scenes.ts';
import { type Change, type Cut, doAgain, leftAfterCut, recordChanges } from '../support/power-cut.ts';
import {
  copied,
  expectDone,
  expectDoneAgain,
  expectMended,
  expectOldOrNew,
  type Place,
  remove,
} from '../support/scene-checks.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle } from '../support/traced-run.ts';

const temp = tempFolder({ inMemory: true });
const IS_LONG = process.env.VHDVAULT_LONG === '1';
/** Milliseconds. */
const LONGEST = 600_000;
const ROUNDS = IS_LONG ? 20 : 1;
const CUTS: readonly Cut[] = ['none', 'last', 'some', 'all'];

describeWithTool('strace', 'an image', () => {
  beforeAll(() => bundle(temp.fresh('bundle')));

  it.each(SCENES.filter(({ isShort }) => isShort || IS_LONG))(
    'opens, and is the old or the new one, wherever the power goes: $title',
    async (scene) => {
      const { template, whole, changes } = await recorded(scene);
      for (const { left, context } of cuts(scene, changes)) {
        const place = await copied(template, temp.fresh('cut'));
        await doAgain(left, whole.folder, place.folder);
        await moveJournals(whole, place);
        await expectUsable(place, context);
        await remove(place);
      }
    },
    LONGEST,
  );
});

/** All that may be left, each once. */
function* cuts(scene: Scene, changes: readonly Change[]): Generator<{ left: Change[]; context: string }> {
  const random = fractions();
  const seen = new Set<string>();
  // All is what a kill leaves, too.
  const kinds = scene.isShort && !IS_LONG ? CUTS.slice(0, 3) : CUTS;
  const rounds = kinds.flatMap((cut) => Array.from({ length: cut === 'some' ? ROUNDS : 1 }, () => cut));
  for (let count = 0; count <= changes.length; count++) {
    for (const cut of rounds) {
      const left = leftAfterCut(changes, count, cut, random);
      const key = JSON.stringify(left.map((change) => ({ ...change, bytes: undefined })));
      if (seen.has(key)) continue;
      seen.add(key);
      yield { left, context: `after ${count} of ${changes.length}, ${cut} left: ${textOf(changes[count - 1])}` };
    }
  }
}

async function recorded(scene: Scene): Promise<{ template: Place; whole: Place; changes: Change[] }> {
  const folder = temp.fresh('template');
  await mkdir(folder);
  const template = { folder, built: await scene.build(folder) };
  const whole = await copied(template, temp.fresh('whole'));
  const changes = await recordChanges(whole.built.action, whole.folder);
  await expectDone(whole);
  // What was taken down is all: done again, it comes to the same.
  const again = await copied(template, temp.fresh('again'));
  await doAgain(changes, whole.folder, again.folder);
  await expectDone(again);
  expect(changes.some(({ do: kind }) => kind === 'sync')).toBe(true);
  return { template, whole, changes };
}

/** A journal names its parent and its child, which are copies here. */
async function moveJournals(from: Place, { folder }: Place): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.merging')) continue;
    const path = join(folder, name);
    const text = (await readFile(path, 'utf8')).replaceAll(from.folder, folder);
    const stamp = await stampOf(path.slice(0, -'.merging'.length)).catch(() => '');
    const parent = /"parent":"([^"]*)"/.exec(text)?.[1] ?? '';
    const parentStamp = await stampOf(join(folder, parent)).catch(() => '');
    await writeFile(
      path,
      text
        .replace(/"stamp":"[^"]*"/, `"stamp":"${stamp}"`)
        .replace(/"parentStamp":"[^"]*"/, `"parentStamp":"${parentStamp}"`),
    );
  }
}

/** As after a kill, but that an image may have to be mended before it is written to. */
async function expectUsable(place: Place, context: string): Promise<void> {
  try {
    await expectOldOrNew(place);
    await expectMended(place);
    await expectDoneAgain(place);
  } catch (error) {
    throw new Error(`${context}: ${(error as Error).message}`, { cause: error });
  }
}

function textOf(change: Change | undefined): string {
  if (!change) return 'nothing';
  return change.do === 'write'
    ? `${change.do} ${change.bytes.byteLength} at ${change.offset} of ${change.path}`
    : JSON.stringify(change);
}

/** The same in every run. */
function fractions(): () => number {
  let n = 1;
  return () => {
    n = (Math.imul(n, 1664525) + 1013904223) >>> 0;
    return n / 2 ** 32;
  };
}
