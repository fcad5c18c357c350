import { access, cp, mkdir, readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { checkImage, type Finding, isError, repairImage } from '../../src/image/vhd-parser.ts';
import { type ImageAction, perform } from '../support/image-action.ts';
import { type BuiltScene, contentOf, SCENES, type Scene, type Watched } from '../support/kill-scenes.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { type Call, recordCalls, runUntil } from '../support/traced-run.ts';

const temp = tempFolder({ inMemory: true });
const AT_ONCE = 3;
const SECTOR = 512;
/** True of images that are as they should be. */
const LEGAL = ['VHD_BLOCK_SIZE', 'VHD_PARENT_SIZE'];
/** Of a merge that waits to be gone on with: repairing cannot know how. */
const JOURNAL = 'VHD_MERGE_INTERRUPTED';

interface Told {
  calls: number;
  kills: number;
  errors: number;
  /** What checks found of it, after kills. */
  left: Set<string>;
}

interface Place {
  folder: string;
  built: BuiltScene;
}

const tally = new Map<string, Told>();

afterAll(() => {
  const rows = [...tally].map(([title, { calls, kills, errors, left }]) =>
    [title.padEnd(56), ...[calls, kills, errors].map((n) => `${n}`.padStart(6)), `  ${[...left].join(' ')}`].join(''),
  );
  if (rows.length > 0) process.stderr.write(`${''.padEnd(57)}calls kills errors  left\n${rows.join('\n')}\n`);
});

describeWithTool('strace', 'an image', () => {
  it.each(SCENES)(
    'is the old or the new one wherever it is killed, and it can be done again: $title',
    async (scene) => {
      const { template, folder, calls, told } = await prepared(scene);
      await inLanes(calls, async (call) => {
        const place = await copied(template, folder);
        const ended = await runUntil(place.built.action, call, 'KILL');
        expect(ended.killed, `${call.text}: ${ended.stderr}`).toBe(true);
        told.kills++;
        await inContext(call, async () => {
          await expectOldOrNew(place);
          await expectMended(place, told.left);
          await expectDoneAgain(place);
        });
        await rm(place.folder, { recursive: true });
      });
      expect(told.kills).toBe(calls.length);
    },
  );

  it.each(SCENES)('is the old or the new one when the disk is full, and nothing is left: $title', async (scene) => {
    const { template, folder, calls, told } = await prepared(scene);
    const failing = calls.filter(({ name }) => !name.startsWith('unlink'));
    await inLanes(failing, async (call) => {
      const place = await copied(template, folder);
      const ended = await runUntil(place.built.action, call, 'ENOSPC');
      await inContext(call, async () => {
        expect(ended.stderr).toMatch(/^NO_SPACE\n/);
        told.errors++;
        await expectOldOrNew(place);
        expect((await listing(place.folder)).filter((name) => name.endsWith('.part'))).toEqual([]);
        await expectDoneAgain(place);
      });
      await rm(place.folder, { recursive: true });
    });
    expect(told.errors).toBe(failing.length);
  });
});

async function inContext({ text }: Call, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw new Error(`at ${text.slice(0, 200)}: ${(error as Error).message}`, { cause: error });
  }
}

/** The calls of a scene that nobody interrupts, which also shows that it does what it should. */
async function prepared(scene: Scene): Promise<{ template: BuiltScene; folder: string; calls: Call[]; told: Told }> {
  const folder = temp.fresh('template');
  await mkdir(folder);
  const template = await scene.build(folder);
  const whole = await copied(template, folder);
  const calls = await recordCalls(whole.built.action, whole.folder);
  expect(calls.length, 'calls that change files').toBeGreaterThan(2);
  await expectDone(whole);
  const told = tally.get(scene.title) ?? { calls: calls.length, kills: 0, errors: 0, left: new Set<string>() };
  tally.set(scene.title, told);
  return { template, folder, calls, told };
}

async function copied(template: BuiltScene, from: string): Promise<Place> {
  const folder = temp.fresh('scene');
  await cp(from, folder, { recursive: true });
  const move = (text: string): string => text.replaceAll(from, folder);
  const action = JSON.parse(move(JSON.stringify(template.action))) as ImageAction;
  return { folder, built: { action, watched: template.watched.map((one) => ({ ...one, path: move(one.path) })) } };
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const lane = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

/** The same on a copy, so that each can be done to it once more. */
async function expectMended({ folder, built }: Place, left: Set<string>): Promise<void> {
  const copy = await copied(built, folder);
  for (const { path } of copy.built.watched) {
    if (!(await isThere(path)) || path.endsWith('.raw')) continue;
    for (const { code, severity } of await checkImage(path)) if (severity !== 'info') left.add(code);
    const { findings } = await repairImage(path);
    expect(codesOf(findings.filter(({ severity, code }) => severity !== 'info' && code !== JOURNAL))).toEqual([]);
  }
  await expectOldOrNew(copy, true);
  await rm(copy.folder, { recursive: true });
}

async function expectOldOrNew({ built }: Place, mended = false): Promise<void> {
  for (const one of built.watched) {
    if (!(await isThere(one.path))) {
      expect(one.old === null || one.new === null, `${basename(one.path)} is gone`).toBe(true);
      continue;
    }
    const found = await contentOf(one.path).catch((error: unknown) => {
      if (one.broken && !mended && isError(error)) return null;
      throw error;
    });
    if (found !== null && !isEither(found, one)) throw new Error(`${basename(one.path)}: ${describeBytes(found, one)}`);
  }
}

function isEither(found: Uint8Array, { old, new: after, between, mixed }: Watched): boolean {
  const wanted = [old, after, between ?? null].filter((one) => one !== null);
  if (wanted.some((one) => Buffer.compare(one, found) === 0)) return true;
  if (!mixed || !wanted.some((one) => one.byteLength === found.byteLength)) return false;
  for (let at = 0; at < found.byteLength; at += SECTOR) {
    const sector = found.subarray(at, at + SECTOR);
    if (!wanted.some((one) => Buffer.compare(sectorAt(one, at), sector) === 0)) return false;
  }
  return true;
}

/** Beyond the end, zeros. */
function sectorAt(bytes: Uint8Array, at: number): Uint8Array {
  return at < bytes.byteLength ? bytes.subarray(at, at + SECTOR) : new Uint8Array(SECTOR);
}

function describeBytes(found: Uint8Array, { old, new: after }: Watched): string {
  const sectors = (expected: Uint8Array | null): string => {
    const wrong = Array.from({ length: found.byteLength / SECTOR }, (_, i) => i).filter(
      (i) =>
        Buffer.compare(sectorAt(expected ?? found, i * SECTOR), found.subarray(i * SECTOR, (i + 1) * SECTOR)) !== 0,
    );
    return `${expected?.byteLength} bytes, other sectors: ${wrong.slice(0, 20).join()}`;
  };
  return `${found.byteLength} bytes, neither old (${sectors(old)}) nor new (${sectors(after)})`;
}

/** Done again; what was done just before the kill cannot be, but then all is there. */
async function expectDoneAgain(place: Place): Promise<void> {
  await perform(place.built.action).catch((error: unknown) => {
    const { action } = place.built;
    const over = { create: 'TARGET_EXISTS', merge: 'NOT_FOUND' }[action.do as string];
    if (!isError(error) || error.code !== over) throw error;
  });
  await expectDone(place);
}

async function expectDone({ folder, built }: Place): Promise<void> {
  const there = built.watched.filter((one) => one.new !== null);
  for (const { path, new: after } of there) {
    expect(Buffer.compare(await contentOf(path), after!), basename(path)).toBe(0);
    expect(codesOf((await checkImage(path)).filter(({ code }) => !LEGAL.includes(code)))).toEqual([]);
  }
  const left = (await listing(folder)).filter((name) => built.action.do !== 'repair' || !name.includes('metadata'));
  expect(left).toEqual(there.map(({ path }) => basename(path)).toSorted());
}

function codesOf(findings: readonly Finding[]): string[] {
  return findings.map(({ code, what }) => `${code}: ${what}`);
}

async function listing(folder: string): Promise<string[]> {
  return (await readdir(folder)).toSorted();
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
