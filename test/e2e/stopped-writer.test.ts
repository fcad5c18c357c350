import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { isError } from '../../src/base/errors.ts';
import { type FileCall, recordFileCalls } from '../support/call-faults.ts';
import { chosen, fractions } from '../support/fractions.ts';
import { stopAfter } from '../support/stopped-run.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWithTool } from '../support/tool.ts';
import { bundle } from '../support/traced-run.ts';
import { perform, type VaultAction, type VaultCommand } from '../support/vault-action.ts';
import { type Facts, lookAt, type PointFacts, tellingOf, whatIsLeft } from '../support/vault-scene-checks.ts';
import { type Base, buildBase, copyHome, removeHome, writeDisk } from '../support/vault-scenes.ts';

const temp = tempFolder({ inMemory: true });
/** Milliseconds. */
const LONGEST = 7_200_000;
const IS_LONG = process.env.VHDVAULT_LONG === '1';
const SEED = Number(process.env.VHDVAULT_SEED ?? Date.now() % 1_000_000);
const random = fractions(SEED);
/** To look at some again: `mkdir`. */
const ONLY = new RegExp(process.env.VHDVAULT_FAULT ?? '');
const BACKUP: VaultCommand = { do: 'backup', item: 'box', disks: ['a'] };
const GC: VaultCommand = { do: 'gc', grace: 0, softDelete: 0 };

/** Homes in which a backup finds blocks that only a forgotten point has (3 and 6), which a gc gives up. */
let ready: string;
let base: Base;
let old: Facts;
/** What the backup makes. */
let made: PointFacts;

describeWithTool('strace', 'a run that is stopped, while others go on,', () => {
  beforeAll(async () => {
    await bundle(temp.fresh('bundle'), 'vault-action.ts');
    base = await buildBase(temp.fresh('base'));
    ready = temp.fresh('ready');
    await copyHome(base.home, ready);
    await writeDisk(ready, 'a', [71, 2, 0, 3, 4, 5, 6, 7, 72, 9]);
    const whole = temp.fresh('whole');
    await copyHome(ready, whole);
    await perform({ home: whole, command: BACKUP });
    old = await lookAt(ready, `${ready}-judge`);
    const found = await lookAt(whole, `${whole}/judge`);
    made = Object.entries(found.vault?.points ?? {}).find(([id]) => !old.vault?.points[id])![1];
  });

  it(
    `and is a backup, ends with a whole point, stored again if need be, or an error (VHDVAULT_SEED=${SEED})`,
    async () => {
      const calls = await callsOf(BACKUP);
      const packs = calls.filter(({ name, path }) => name === 'rename' && path.includes('/packs/'));
      const entries = calls.filter(({ name, path }) => name === 'link' && path.includes('/log/'));
      expect([packs.length, entries.length]).toEqual([2, 2]);
      const moments = [entries[0]!, packs[0]!, packs[1]!, before(calls, entries[1]!), entries[1]!];
      const tried = IS_LONG ? calls.filter(({ text }) => ONLY.test(text)) : moments;
      const stops = tried.flatMap((call) => [true, false].map((isLocked) => ({ call, isLocked })));
      const ends = new Map<string, number>();
      for (const { call, isLocked } of IS_LONG ? stops : chosen(stops, 1, random)) {
        const told = await inContext(call, () => stopBackup(call, isLocked));
        ends.set(told, (ends.get(told) ?? 0) + 1);
      }
      process.stderr.write(`backups stopped: ${JSON.stringify([...ends])}\n`);
    },
    LONGEST,
  );

  it(
    'and is a gc, takes nothing that a backup stored or relied on meanwhile',
    async () => {
      const calls = await callsOf(GC);
      const moments = calls.filter(
        ({ name, path }) =>
          name === 'link' ||
          (name === 'pwrite64' && path.includes('/staging/')) ||
          (name === 'unlink' && /\/(packs|index)\//.test(path)),
      );
      const stops = IS_LONG ? calls.filter(({ text }) => ONLY.test(text)) : chosen(moments, 1, random);
      for (const call of stops) await inContext(call, () => stopGc(call));
    },
    LONGEST,
  );
});

/** The calls of a command, as it is in a home that is there no more. */
async function callsOf(command: VaultCommand): Promise<FileCall[]> {
  const home = temp.fresh('trial');
  await copyHome(ready, home);
  const calls = await recordFileCalls({ home, command, seed: 'stopped' }, home);
  await removeHome(home);
  return calls.map((call) => JSON.parse(JSON.stringify(call).replaceAll(home, 'HOME')) as FileCall);
}

function before(calls: readonly FileCall[], call: FileCall): FileCall {
  return calls[calls.indexOf(call) - 1]!;
}

/** Stops a backup, lets a gc free all that it may, and lets the backup go on. */
async function stopBackup(call: FileCall, isLocked: boolean): Promise<string> {
  const home = temp.fresh('place');
  await copyHome(ready, home);
  const action: VaultAction = { home, command: BACKUP, seed: 'stopped' };
  const run = await stopAfter(action, placed(call, home), `${home}.log`);
  // Another host takes it for dead when it has missed two beats.
  if (!isLocked) for (const lock of await readdir(join(home, 'vault/locks'))) await rm(join(home, 'vault/locks', lock));
  await perform({ home, command: GC });
  const told = tellingOf(await run.goOn());
  const facts = await lookAt(home, `${home}/judge`);
  expectPoints(facts, told === 'done');
  // Whatever became of it: the next one makes a whole point, and nothing is left of the one before.
  await perform({ home, command: BACKUP });
  expectPoints(await lookAt(home, `${home}/judge`), true);
  expect(await whatIsLeft(home)).toEqual({ gc: '', damage: [], names: [] });
  await removeHome(home);
  return told;
}

/** Stops a gc, makes a backup, and lets the gc go on. */
async function stopGc(call: FileCall): Promise<void> {
  const home = temp.fresh('place');
  await copyHome(ready, home);
  const run = await stopAfter({ home, command: GC, seed: 'stopped' }, placed(call, home), `${home}.log`);
  await perform({ home, command: BACKUP });
  const told = tellingOf(await run.goOn());
  expect(told).toBe('done');
  expectPoints(await lookAt(home, `${home}/judge`), true);
  expect(await whatIsLeft(home)).toEqual({ gc: '', damage: [], names: [] });
  await removeHome(home);
}

/** All that were there and not forgotten read as they did, and with `isMade` there is a new one, which reads as it must. */
function expectPoints({ vault }: Facts, isMade: boolean): void {
  const there = vault?.points ?? {};
  for (const [id, point] of Object.entries(old.vault?.points ?? {})) {
    if (point.is === 'forgotten') expect([undefined, point.content]).toContain(there[id]?.content);
    else expect(there[id]).toEqual(point);
  }
  const added = Object.entries(there).filter(([id]) => !old.vault?.points[id]);
  for (const [, point] of added) expect(point).toEqual(made);
  if (isMade) expect(added.length).toBeGreaterThan(0);
}

function placed(call: FileCall, home: string): FileCall {
  return JSON.parse(JSON.stringify(call).replaceAll('HOME', home)) as FileCall;
}

async function inContext<T>({ text }: FileCall, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const why = isError(error) ? `${error.code} ${error.message}` : String((error as Error).message);
    throw new Error(`after ${text.slice(0, 200)}: ${why}`, { cause: error });
  }
}
