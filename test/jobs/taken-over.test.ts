import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { thisProcess } from '../../src/jobs/lock-owner.ts';
import { createVault, openVault, type SessionOptions, type VaultSession } from '../../src/jobs/session.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { catalog } from '../../src/point/catalog.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { openStore, type Store } from '../../src/vault/open-store.ts';
import { sealLock } from '../../src/vault/sealed-file.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { logEntryPath, writingPath } from '../../src/vault/vault.ts';
import { putFile } from '../support/copied-store.ts';
import { fixedClock } from '../support/fixed-parts.ts';
import { checkPoint, diskOf } from '../support/gc-scene.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { rawDisk } from '../support/vault-bench.ts';

/*
 * A vault without link(2) takes one writer at a time, by its lock. One that is stopped for long loses the lock to another, and goes
 * on afterwards as if nothing had been. The files are real ones: what it has open stays what it was, whatever becomes of the name.
 */
const temp = tempFolder({ inMemory: true });
const NO_PROCESS = 2 ** 22 + 1;

interface Scene {
  home: string;
  /** Past the race. */
  store: Store;
  race(around: (store: Store) => Store): void;
  open(who: string): Promise<VaultSession>;
  save(session: VaultSession, item: string, letters: string): Promise<string>;
}

let count = 0;

async function newScene(): Promise<Scene> {
  const [home, name] = [temp.fresh('single'), `taken-over-${count++}`];
  await mkdir(join(home, 'vault'), { recursive: true });
  const address = { kind: 'memory', name } as const;
  const link = (): Promise<never> =>
    Promise.reject(new VhdvaultError('IO', 'no links', { details: { system: 'ENOTSUP' } }));
  const store: Store = { ...openStore({ kind: 'folder', path: join(home, 'vault') }), address, link };
  const race = (around: (store: Store) => Store): void => wrapMemoryStore(name, () => around(store));
  race((same) => same);
  const parts = { store: address, pool: openInThreadPool(1), reserve: 1024, clock: fixedClock() };
  const optionsOf = (who: string): SessionOptions => ({
    cache: join(home, `${who}-cache`),
    state: join(home, who),
    parts,
  });
  await createVault(home, { ...optionsOf('init'), unencrypted: true });
  return {
    ...{ home, store, race },
    open: (who) => openVault(home, optionsOf(who)),
    async save(session, item, letters) {
      const disk = await rawDisk(join(home, item), diskOf(letters));
      return `${item}@${(await backup(session, item, [disk])).point}`;
    },
  };
}

/** As if its process were gone. */
async function looksDead({ vault }: VaultSession): Promise<void> {
  const owner = { ...(await thisProcess()), pid: NO_PROCESS, since: 0, beat: 0, token: 'other' };
  await putFile(vault.store, 'locks/vault', sealLock(vault, Buffer.from(JSON.stringify(owner))));
}

/** Writes of this file are two, so that something can happen between them. */
function inHalves(path: string): (store: Store) => Store {
  return (store) => ({
    ...store,
    async create(at) {
      const file = await store.create(at);
      if (at !== path) return file;
      return {
        ...file,
        async write(parts) {
          const bytes = Buffer.concat(parts);
          await file.write([bytes.subarray(0, bytes.byteLength >> 1)]);
          await store.size(HALF_WRITTEN);
          await file.write([bytes.subarray(bytes.byteLength >> 1)]);
        },
      };
    },
  });
}

const HALF_WRITTEN = 'staging/half-written';

/** Where it is stopped. */
const MOMENTS: readonly { at: string; stops: (entry: string) => string }[] = [
  { at: 'it makes the sign', stops: (entry) => `create ${writingPath(entry)}` },
  { at: 'it makes the entry', stops: (entry) => `create ${entry}` },
  { at: 'it writes the entry', stops: (entry) => `write ${entry}` },
  { at: 'it writes the second half', stops: () => `size ${HALF_WRITTEN}` },
  { at: 'it syncs the entry', stops: (entry) => `sync ${entry}` },
  { at: 'it removes the sign', stops: (entry) => `remove ${writingPath(entry)}` },
];
const ENTRIES = [
  { what: 'job', sequence: 2 },
  { what: 'point', sequence: 3 },
];

it.each(ENTRIES.flatMap((entry) => MOMENTS.map((moment) => ({ ...entry, ...moment }))))(
  'a writer that is stopped before $at of its $what, and loses its lock, leaves one whole entry',
  async ({ sequence, stops }) => {
    const scene = await newScene();
    const entry = logEntryPath(sequence);
    await using other = await scene.open('other');
    let [isHit, ofOther, tip] = [false, '', new Uint8Array(0)];
    const meanwhile = async (): Promise<void> => {
      isHit = true;
      await looksDead(other);
      ofOther = await scene.save(other, 'db', 'xyz');
      tip = Uint8Array.from(await scene.store.get(entry));
    };
    const happens = happensBefore((what) => what === stops(entry), meanwhile);
    scene.race((store) => inHalves(entry)(happens(store)));
    await using stopped = await scene.open('stopped');
    const saved = await scene.save(stopped, 'web', 'abcd');
    scene.race((store) => store);
    expect(isHit).toBe(true);
    // Whose it is was settled when the other one went on, and stays so.
    expect(await scene.store.get(entry)).toEqual(Buffer.from(tip));
    await using judge = await scene.open('judge');
    expect(judge.vault.damage).toBeUndefined();
    const refs = catalog(judge.vault).map(({ id, manifest }) => `${manifest.item}@${id}`);
    expect(refs.toSorted()).toEqual([ofOther, saved].toSorted());
    const again = await scene.save(judge, 'web', 'abcZ');
    await checkPoint(judge, again, diskOf('abcZ'));
    await checkPoint(judge, ofOther, diskOf('xyz'));
    await checkPoint(judge, saved, diskOf('abcd'));
    const { findings } = await verify(judge, { readData: true });
    expect(findings.filter(({ severity }) => severity !== 'info')).toEqual([]);
  },
);
