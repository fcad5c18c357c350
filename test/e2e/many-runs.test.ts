import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import {
  backup,
  createVault,
  forget,
  gc,
  openPoint,
  openVault,
  points,
  type SessionOptions,
  verify,
} from '../../src/index.ts';
import { type Ended, runCli } from '../cli/run-cli.ts';
import { programHome } from '../support/program-home.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
const MIB = 1024 * 1024;
/** What each run says of itself. */
type Told = { point?: string; findings?: { severity: string }[]; error?: { code: string } };

it('a backup of each of three items, a second one of the first, a gc, a forget and a verify at once do each what they say', async () => {
  const home = folder.fresh('many');
  const env = await programHome(home);
  const other = { ...env, VHDVAULT_CACHE: join(home, 'other', 'cache'), VHDVAULT_STATE: join(home, 'other', 'state') };
  const contents = new Map<string, Uint8Array>();
  const { old, gone } = await makeHistory(home, env, contents);
  const run = async (words: string[], settings = env): Promise<{ ended: Ended; told: Told }> => {
    const ended = await runCli([...words, '--json'], settings);
    return { ended, told: JSON.parse(ended.stdout) as Told };
  };
  // Of what only the point has that the gc gives up, each takes some.
  const disks = { box: [1, 2, 3, 31, 32], web: [11, 12, 13, 33, 41], new: [34, 35, 1, 11, 42] };
  for (const [item, seeds] of Object.entries(disks)) await writeDisk(home, item, seeds);
  const save = (item: string): string[] => ['backup', item, join(home, `${item}.raw`), '--threads', '2'];
  const [box, web, fresh, again, freed, forgotten, verified] = await Promise.all([
    run(save('box')),
    run(save('web'), other),
    run(save('new')),
    run(save('box'), other),
    run(['gc', '--soft-delete', '0s', '--grace', '0s'], other),
    run(['forget', old]),
    run(['verify', '--read-data']),
  ]);

  for (const { ended } of [web, fresh, freed, forgotten, verified])
    expect(ended, ended.stdout + ended.stderr).toMatchObject({ exitCode: 0 });
  // Of runs that go on it may tell.
  expect(verified.told.findings?.filter(({ severity }) => severity !== 'info')).toEqual([]);
  for (const { ended, told } of [box, again])
    expect([ended.exitCode, told.error?.code]).toEqual(told.error ? [11, 'ITEM_LOCKED'] : [0, undefined]);
  expect([box, again].map(({ told }) => told.point)).not.toEqual([undefined, undefined]);
  for (const [item, { told }] of [
    ['box', box],
    ['box', again],
    ['web', web],
    ['new', fresh],
  ] as const)
    if (told.point !== undefined) contents.set(`${item}@${told.point}`, diskOf(disks[item]));
  for (const ref of [old, gone]) contents.delete(ref);
  await checkPoints(home, env, contents);
  await checkClean(env);
  await checkPoints(home, env, contents);
});

/** Points of items `box`, `web` and `old`; `gone` is of an item that was forgotten. */
async function makeHistory(
  home: string,
  env: Record<string, string>,
  contents: Map<string, Uint8Array>,
): Promise<{ old: string; gone: string }> {
  const options = optionsOf(env);
  await createVault(env.VHDVAULT_VAULT!, options);
  await using session = await openVault(env.VHDVAULT_VAULT!, options);
  const save = async (item: string, seeds: readonly number[]): Promise<string> => {
    await writeDisk(home, item, seeds);
    const { point } = await backup(session, item, [join(home, `${item}.raw`)]);
    contents.set(`${item}@${point}`, diskOf(seeds));
    return `${item}@${point}`;
  };
  await save('box', [1, 2, 3, 4, 5]);
  await save('box', [1, 2, 3, 4, 6]);
  await save('web', [11, 12, 13, 14, 15]);
  const old = await save('old', [21, 22, 23, 24, 25]);
  await save('old', [21, 22, 23, 24, 26]);
  const gone = await save('gone', [31, 32, 33, 34, 35]);
  await forget(session, { refs: [gone] }, { force: true });
  return { old, gone };
}

/** By a cache of its own: all points are there, and no other, and each is as its disk was. */
async function checkPoints(
  home: string,
  env: Record<string, string>,
  contents: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const judge = { cache: join(home, 'judge', 'cache'), state: join(home, 'judge', 'state') };
  await using session = await openVault(env.VHDVAULT_VAULT!, { ...optionsOf(env), ...judge });
  const found = (await points(session)).points.map(({ item, point }) => `${item}@${point}`);
  expect(found.toSorted()).toEqual([...contents.keys()].sort());
  for (const [ref, expected] of contents) {
    await using point = await openPoint(session, ref);
    const bytes = new Uint8Array(point.size);
    await point.read(0, bytes);
    expect(Buffer.compare(bytes, expected), ref).toBe(0);
  }
}

/** All that a run stored and in the end did not need goes with the next gc. */
async function checkClean(env: Record<string, string>): Promise<void> {
  await using session = await openVault(env.VHDVAULT_VAULT!, optionsOf(env));
  expect((await verify(session, { readData: true })).findings.filter(({ severity }) => severity !== 'info')).toEqual(
    [],
  );
  await gc(session, { softDelete: 0, grace: 0 });
  expect((await verify(session, { readData: true })).findings).toEqual([]);
  for (const name of ['staging', 'locks']) expect(await readdir(join(env.VHDVAULT_VAULT!, name))).toEqual([]);
}

function optionsOf(env: Record<string, string>): SessionOptions {
  return { keyFile: env.VHDVAULT_KEY_FILE!, cache: env.VHDVAULT_CACHE!, state: env.VHDVAULT_STATE!, threads: 2 };
}

async function writeDisk(home: string, item: string, seeds: readonly number[]): Promise<void> {
  await writeFile(join(home, `${item}.raw`), diskOf(seeds));
}

/** A number is a MiB. */
function diskOf(seeds: readonly number[]): Uint8Array {
  return Buffer.concat(seeds.map((seed) => noise(seed, MIB)));
}
