import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isError, openDisk, repairImage, type VhdvaultError } from '../../src/image/vhd-parser.ts';
import { writeInput } from '../fuzz/input.ts';
import { makeInput } from '../fuzz/make-input.ts';
import { readSeeds } from '../fuzz/seeds.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder({ inMemory: true });
const INPUTS = 400;
const SEED = 20240202;
const MIB = 1024 * 1024;

it('a repair changes no readable content and makes no image worse, whatever was done to it', async () => {
  const seedFolder = temp.fresh('seeds');
  await mkdir(seedFolder);
  const seeds = await readSeeds(seedFolder);
  const outcomes = { mended: 0, leftAlone: 0, refused: 0 };
  for (let n = 0; n < INPUTS; n++) {
    const input = makeInput(seeds, SEED, n);
    if (input.format) continue;
    const folder = temp.fresh('input');
    await mkdir(folder);
    writeInput(folder, input);
    const path = join(folder, input.image);
    const why = `input ${n} of seed ${SEED}: ${input.story.join('; ')}`;
    const outcome = await repaired(path, { parentRoots: input.parentRoots.map((root) => join(folder, root)) }, why);
    outcomes[outcome]++;
    await rm(folder, { recursive: true });
  }
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(INPUTS / 20);
}, 120_000);

type Options = { parentRoots: string[] };

async function repaired(path: string, options: Options, why: string): Promise<'mended' | 'leftAlone' | 'refused'> {
  const [content, file] = [await contentOf(path, options), await fileOf(path)];
  const planned = await repairImage(path, { dryRun: true, ...options }).catch(typed);
  expect(await fileOf(path), why).toBe(file);
  const result = await repairImage(path, options).catch(typed);
  if (isError(planned) || isError(result)) {
    expect([isError(planned) && planned.code, await fileOf(path)], why).toEqual([isError(result) && result.code, file]);
    return 'refused';
  }
  expect(result.actions, why).toEqual(planned.actions);
  if (content !== null) expect(await contentOf(path, options), why).toBe(content);
  if (result.actions.length === 0) {
    expect([await fileOf(path), result.copy], why).toEqual([file, null]);
    return 'leftAlone';
  }
  expect(existsSync(result.copy!), why).toBe(true);
  expect((await repairImage(path, options)).actions, why).toEqual([]);
  return 'mended';
}

function typed(error: unknown): VhdvaultError {
  if (isError(error) && error.code !== 'BUG') return error;
  throw error;
}

/** A hash of the disk, large ones at both ends; null when it does not open. */
async function contentOf(path: string, options: Options): Promise<string | null> {
  try {
    await using disk = await openDisk(path, options);
    const bytes = Buffer.alloc(Math.min(disk.size, 8 * MIB));
    await disk.read(0, bytes);
    const hash = createHash('sha256').update(`${disk.size}`).update(bytes);
    await disk.read(disk.size - bytes.length, bytes);
    return hash.update(bytes).digest('hex');
  } catch (error) {
    typed(error);
    return null;
  }
}

/** A hash of the file, large ones at both ends; `none` where there is no such file. */
async function fileOf(path: string): Promise<string> {
  const handle = await open(path, 'r').catch(() => null);
  if (!handle) return 'none';
  await using file = handle;
  const { size } = await file.stat();
  if (!(await file.stat()).isFile()) return 'no file';
  const bytes = Buffer.alloc(Math.min(size, 8 * MIB));
  const hash = createHash('sha256').update(`${size}`);
  for (const at of [0, size - bytes.length]) {
    await file.read(bytes, 0, bytes.length, at);
    hash.update(bytes);
  }
  return hash.digest('hex');
}
