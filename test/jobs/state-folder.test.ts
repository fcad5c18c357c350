import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { readAll, storeOf } from '../support/copied-store.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

/*
 * Somebody who can write to the state folder, and not to the vault: what a machine notices goes by what it saw last, what it reads
 * does not.
 */
const temp = tempFolder({ inMemory: true });
const DISK = noise(6 * 16 * 1024, 1);
const LATER = noise(6 * 16 * 1024, 2);
const OPENED = /^opened$/;
const UNREAD = /^opened: .* is unreadable: a vault that went back would not be noticed/;
const BACK = /^VAULT_ROLLED_BACK$/;
type Record = { vault: string; sequence: number; hash: string };

let bench: VaultBench;
/** The vault, and a copy of its state folder, before and after a second point; the points, with their disks. */
let [older, newer]: { files: Map<string, Uint8Array>; state: string }[] = [];
const points = new Map<string, Uint8Array>();

beforeAll(async () => {
  bench = await openBench(temp.fresh('vault'));
  await mkdir(bench.folder, { recursive: true });
  const save = async (bytes: Uint8Array): Promise<NonNullable<typeof older>> => {
    const { point } = await bench.backup('web01', [await rawDisk(join(bench.folder, 'disk'), bytes)]);
    points.set(`web01@${point}`, bytes);
    const state = temp.fresh('state');
    await cp(bench.state, state, { recursive: true });
    return { files: await readAll(bench.store), state };
  };
  older = await save(DISK);
  newer = await save(LATER);
});

async function putBack({ files, state }: NonNullable<typeof older>): Promise<void> {
  await storeOf(files, (bench.storeAddress as { name: string }).name);
  await rm(bench.state, { recursive: true, force: true });
  await cp(state, bench.state, { recursive: true });
}

/** In both records, that by the vault's id and that by its address. */
async function rewrite(change: (text: string) => string): Promise<void> {
  for (const name of await readdir(bench.state))
    await writeFile(join(bench.state, name), change(await readFile(join(bench.state, name), 'utf8')));
}

const forge = (change: (seen: Record) => Partial<Record>): Promise<void> =>
  rewrite((text) => {
    const seen = JSON.parse(text) as Record;
    return JSON.stringify({ ...seen, ...change(seen) });
  });

/** What the machine makes of its vault, and whether it says that it knows nothing. */
async function opening(): Promise<string> {
  const notices: string[] = [];
  try {
    await using _ = await bench.open({ onNotice: (text) => void notices.push(text) });
    return ['opened', ...notices].join(': ');
  } catch (error) {
    return (error as { code: string }).code;
  }
}

it.each([
  ['as it was', () => Promise.resolve(), OPENED, BACK],
  ['deleted', () => rm(bench.state, { recursive: true }), OPENED, OPENED],
  ['an older copy of itself', () => copyOf(older!.state), OPENED, OPENED],
  ['cut in its middle', () => rewrite((text) => text.slice(0, 60)), UNREAD, UNREAD],
  ['forged, of a later entry', () => forge(({ sequence }) => ({ sequence: sequence + 5 })), BACK, BACK],
  ['forged, of another history', () => forge(() => ({ hash: 'ab'.repeat(32) })), BACK, BACK],
  ['forged, of another vault', () => forge(() => ({ vault: 'ab'.repeat(16) })), BACK, BACK],
] as const)(
  'a state folder that is %s decides what is noticed, or refused until told otherwise, and not a byte that is read',
  async (_, change, whole, putBackOlder) => {
    await putBack(newer!);
    await storeOf(older!.files, (bench.storeAddress as { name: string }).name);
    await change();
    expect(await opening()).toMatch(putBackOlder);
    await putBack(newer!);
    await change();
    expect(await opening()).toMatch(whole);
    await (await bench.open({ acceptRollback: true }))[Symbol.asyncDispose]();
    expect(await opening()).toBe('opened');
    for (const [ref, bytes] of points) expect(Buffer.compare(await bench.restored(ref), bytes), ref).toBe(0);
    const { point } = await bench.backup('web01', [await rawDisk(join(bench.folder, 'disk'), DISK)]);
    expect(Buffer.compare(await bench.restored(`web01@${point}`), DISK)).toBe(0);
    expect((await bench.verify(true)).findings).toEqual([]);
  },
);

async function copyOf(state: string): Promise<void> {
  await rm(bench.state, { recursive: true });
  await cp(state, bench.state, { recursive: true });
}
