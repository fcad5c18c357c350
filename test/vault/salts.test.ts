import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { lockItem } from '../../src/jobs/item-lock.ts';
import { addKey } from '../../src/jobs/key-job.ts';
import type { SessionOptions, VaultSession } from '../../src/jobs/session.ts';
import { KINDS } from '../../src/vault/codec/object-header.ts';
import type { Store } from '../../src/vault/open-store.ts';
import { openMemoryStore, wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { attackedVault, fillLog } from '../support/attacked-vault.ts';
import { AT_ONCE } from '../support/gc-scene.ts';
import { happensBefore } from '../support/race.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const temp = tempFolder({ inMemory: true });
const SALT_AT = 48;
const [SECOND_NUMBER, THIRD_NUMBER] = [64, 96];

interface Written {
  path: string;
  bytes: Uint8Array;
}

/** A store that keeps all that was ever written, also what was removed or written over since. */
function recorded(store: Store, written: Written[]): Store {
  return {
    ...store,
    async create(path) {
      const file = await store.create(path);
      const one: Written = { path, bytes: new Uint8Array(0) };
      written.push(one);
      return {
        ...file,
        async write(parts) {
          one.bytes = Buffer.concat([one.bytes, ...parts]);
          await file.write(parts);
        },
      };
    },
  };
}

/** Whatever has the magic of an object. */
const isObject = ({ bytes }: Written): boolean => Buffer.from(bytes.subarray(0, 8)).toString() === 'VHDVAULT';
const kindOf = ({ bytes }: Written): number => bytes[10]!;
const saltOf = ({ bytes }: Written): string => Buffer.from(bytes.subarray(SALT_AT, SALT_AT + 32)).toString('hex');
const hashOf = ({ bytes }: Written): string => createHash('sha256').update(bytes).digest('hex');

afterEach(() => void vi.useRealTimers());

it('all that two forks of a vault ever wrote has salts of its own, but for what has the same bytes', async () => {
  const vault = await attackedVault(temp.fresh('forked'));
  const { bench } = vault;
  const { name } = bench.storeAddress as { name: string };
  const written: Written[] = [...vault.files].map(([path, bytes]) => ({ path, bytes }));
  const numbers: Written[][] = [];
  const beats: Written[][] = [];
  for (const seed of [5, 6]) {
    const from = written.length;
    const whole = openMemoryStore(name);
    wrapMemoryStore(name, (store) => recorded(store, written));
    await vault.grown(vault, seed);
    const machine = { state: temp.fresh('state'), cache: temp.fresh('cache') };
    await using session = await bench.open(machine);
    await workIn(session, bench, machine);
    beats.push(await heartbeats(session, written));
    wrapMemoryStore(name, () => whole);
    numbers.push(written.slice(from).filter((one) => kindOf(one) === KINDS.checkpoint && isObject(one)));
  }
  const objects = written.filter(isObject);
  const { list: _, ...kinds } = KINDS;
  expect(new Set(objects.map(kindOf))).toEqual(new Set(Object.values(kinds)));
  const bytesOf = new Map<string, Set<string>>();
  for (const one of objects) {
    const key = `${kindOf(one)} ${saltOf(one)}`;
    bytesOf.set(key, (bytesOf.get(key) ?? new Set()).add(hashOf(one)));
  }
  expect([...bytesOf].filter(([, hashes]) => hashes.size > 1)).toEqual([]);
  // The forks tell of other histories by the same numbers, and every beat of a lock is another one.
  const checkpointAt = (n: number): string[] =>
    numbers.flat().flatMap((one) => (Buffer.from(one.bytes).readBigUInt64LE(96) === BigInt(n) ? [saltOf(one)] : []));
  expect(new Set(checkpointAt(THIRD_NUMBER)).size).toBe(2);
  expect(vault.files.has(`ckpt/${String(SECOND_NUMBER).padStart(20, '0')}`)).toBe(true);
  for (const each of beats) expect(new Set(each.map(saltOf)).size).toBe(4);
});

/** Keys, a lost race for a number, a gc, and entries enough for a checkpoint. */
async function workIn(session: VaultSession, bench: VaultBench, machine: SessionOptions): Promise<void> {
  const folder = temp.fresh('work');
  await mkdir(folder);
  await writeFile(join(folder, 'key'), Buffer.alloc(32, 9));
  await addKey(session, { keyFile: join(folder, 'key'), label: 'second' });
  const { name } = bench.storeAddress as { name: string };
  const whole = openMemoryStore(name);
  const raceFor = happensBefore(
    (what) => what.startsWith('link log/'),
    () => fillLog(session, session.vault.state.sequence + 1),
  );
  wrapMemoryStore(name, () => raceFor(whole));
  {
    await using raced = await bench.open({ ...machine, cache: temp.fresh('cache') });
    const { point } = await backup(raced, 'raced', [await rawDisk(join(folder, 'disk'), noise(5 * 16_384, 8))]);
    await raced.vault.commit(() => ({ type: 'forget', points: [point.slice(1)] }));
  }
  wrapMemoryStore(name, () => whole);
  await gc(session, AT_ONCE);
  await fillLog(session, THIRD_NUMBER + 1);
}

/** A lock as it was placed, and three beats of it. */
async function heartbeats({ vault }: VaultSession, written: readonly Written[]): Promise<Written[]> {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const from = written.length;
  await using _ = await lockItem(vault, 'a');
  for (let n = 0; n < 3; n++) {
    await vi.advanceTimersByTimeAsync(20_000);
    await new Promise(setImmediate);
  }
  vi.useRealTimers();
  return written.slice(from).filter((one) => isObject(one) && kindOf(one) === KINDS.lock);
}
