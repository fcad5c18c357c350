import { cp, readdir, rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { expect } from 'vitest';
import { checkImage, type Finding, isError, repairImage } from '../../src/image/vhd-parser.ts';
import { isThere } from '../../src/io/is-there.ts';
import { type ImageAction, perform } from './image-action.ts';
import { type BuiltScene, contentOf, type Watched } from './kill-scenes.ts';

const SECTOR = 512;
/** True of images that are as they should be. */
const LEGAL = ['VHD_BLOCK_SIZE', 'VHD_PARENT_SIZE', 'VHD_GAPS'];
/** Of a merge that waits to be gone on with: repairing cannot know how. */
const JOURNAL = 'VHD_MERGE_INTERRUPTED';

/** A scene in a folder of its own. */
export interface Place {
  folder: string;
  built: BuiltScene;
}

/** A copy of all files, and the action that does to them what the scene's does. */
export async function copied({ folder: from, built }: Place, folder: string): Promise<Place> {
  await cp(from, folder, { recursive: true });
  const move = (text: string): string => text.replaceAll(from, folder);
  const action = JSON.parse(move(JSON.stringify(built.action))) as ImageAction;
  return { folder, built: { action, watched: built.watched.map((one) => ({ ...one, path: move(one.path) })) } };
}

/** Every image is there and opens; its disk is the one before or the one after. */
export async function expectOldOrNew({ built }: Place, mended = false): Promise<void> {
  for (const one of built.watched) {
    if (!(await isThere(one.path))) {
      expect(one.old === null || one.new === null, `${basename(one.path)} is gone`).toBe(true);
      continue;
    }
    const found = await contentOf(one.path).catch((error: unknown) => {
      if (one.broken && !mended && isError(error)) return null;
      throw error;
    });
    if (found !== null && !isEither(found, one)) throw new Error(`${basename(one.path)}: ${difference(found, one)}`);
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

function difference(found: Uint8Array, { old, new: after }: Watched): string {
  const sectors = (expected: Uint8Array | null): string => {
    if (!expected) return 'none';
    const wrong: number[] = [];
    for (let at = 0; at < found.byteLength; at += SECTOR) {
      if (Buffer.compare(sectorAt(expected, at), found.subarray(at, at + SECTOR)) !== 0) wrong.push(at / SECTOR);
    }
    return `${expected.byteLength} bytes, other sectors: ${wrong.slice(0, 20).join()}`;
  };
  return `${found.byteLength} bytes, neither old (${sectors(old)}) nor new (${sectors(after)})`;
}

/** Checking tells what is left, and repairing leaves nothing but a merge to go on with. Returns what was found before. */
export async function expectMended(place: Place): Promise<string[]> {
  const left = new Set<string>();
  for (const { path } of place.built.watched) {
    if (!(await isThere(path)) || path.endsWith('.raw')) continue;
    for (const { code, severity } of await checkImage(path)) if (severity !== 'info') left.add(code);
    const { findings, copy } = await repairImage(path);
    if (copy !== null) await rm(copy);
    expect(textsOf(findings.filter(({ severity, code }) => severity !== 'info' && code !== JOURNAL))).toEqual([]);
  }
  await expectOldOrNew(place, true);
  return [...left];
}

/**
 * Done again; what was done just before it was interrupted cannot be, but then all is there.
 * @param legal findings that it may leave
 */
export async function expectDoneAgain(place: Place, legal: readonly string[] = []): Promise<void> {
  const { action } = place.built;
  await perform(action).catch((error: unknown) => {
    const over = action.do === 'create' ? 'TARGET_EXISTS' : 'NOT_FOUND';
    if (!['create', 'merge'].includes(action.do) || !isError(error) || error.code !== over) throw error;
  });
  await expectDone(place, legal);
}

/** All is new. */
export async function expectNew({ built }: Place): Promise<void> {
  for (const { path, new: after } of built.watched) {
    if (after !== null) expect(Buffer.compare(await contentOf(path), after), basename(path)).toBe(0);
  }
}

/** All is new, nothing is to be found, and nothing else lies there. */
export async function expectDone(place: Place, legal: readonly string[] = []): Promise<void> {
  await expectNew(place);
  const { folder, built } = place;
  const there = built.watched.filter((one) => one.new !== null);
  for (const { path } of there) {
    expect(textsOf((await checkImage(path)).filter(({ code }) => ![...LEGAL, ...legal].includes(code)))).toEqual([]);
  }
  const isCopy = (name: string): boolean => built.action.do === 'repair' && /\.metadata-.*\.json$/.test(name);
  const left = (await readdir(folder)).filter((name) => !isCopy(name));
  expect(left.toSorted()).toEqual(there.map(({ path }) => basename(path)).toSorted());
}

function textsOf(findings: readonly Finding[]): string[] {
  return findings.map(({ code, what }) => `${code}: ${what}`);
}

export async function remove({ folder }: Place): Promise<void> {
  await rm(folder, { recursive: true });
}
