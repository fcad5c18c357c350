import { existsSync, readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blake3 } from '@noble/hashes/blake3.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { backup } from '../../src/jobs/backup-job.ts';
import type { BackupOptions } from '../../src/jobs/backup-types.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { addKey, changeKey } from '../../src/jobs/key-job.ts';
import { pin } from '../../src/jobs/pin-job.ts';
import { points } from '../../src/jobs/points.ts';
import { protect } from '../../src/jobs/protect-job.ts';
import type { VaultSession } from '../../src/jobs/session.ts';
import type { Compression, NamedDisk } from '../../src/jobs/types.ts';
import { unforget } from '../../src/jobs/unforget-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { wrapMemoryStore } from '../../src/vault/store/memory-store.ts';
import { runCli } from '../cli/run-cli.ts';
import {
  bytesCanary,
  type Canary,
  type Sightings,
  seenBelow,
  seenIn,
  textCanary,
  watched,
} from '../support/canaries.ts';
import { putFile, readAll } from '../support/copied-store.ts';
import { PASSPHRASE } from '../support/fixed-parts.ts';
import { programHome } from '../support/program-home.ts';
import { seenBeforeEnd, startCli } from '../support/started-run.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, text, type VaultBench } from '../support/vault-bench.ts';

/*
 * Nothing of a disk, and no name that people gave, may be seen in a vault or in a staging location, at no moment and in no
 * form (E6). All that is ever written to a vault is looked through while every kind of object comes to be; then folders
 * as a killed program leaves them. That the search finds what is there, vaults without encryption show.
 */
const temp = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;
const PLAIN = 'the quick brown canary jumps over the lazy dog';

const names = {
  item: 'canary-item-web01',
  disk: 'canary-disk-os',
  tag: 'canary-tag-monthly',
  note: 'canary note: before the upgrade of the canaries',
  hook: 'canary printed by a hook',
  path: 'canary-folder-of-images',
  label: 'canary label: in the safe',
};

/** A block of the plain text, one of it in UTF-16, one of a few words in zeros, one of noise, and text that compresses. */
function diskOf(seed: number): Uint8Array {
  const blocks = [
    Buffer.alloc(BLOCK, PLAIN),
    Buffer.alloc(BLOCK, Buffer.from(PLAIN, 'utf16le')),
    Buffer.concat([Buffer.from(PLAIN), Buffer.alloc(BLOCK - PLAIN.length)]),
    Buffer.from(noise(BLOCK, 7)),
    Buffer.from(text(BLOCK, 8)),
    Buffer.from(noise(BLOCK, seed)),
  ];
  return Buffer.concat(blocks);
}

/** Of what lies on the disk, and hashes of it that whoever has the same block could compute. */
function canariesOfDisk(): Canary[] {
  const block = Buffer.alloc(BLOCK, PLAIN);
  return [
    textCanary('a block of text', PLAIN),
    bytesCanary('a block of noise', noise(BLOCK, 7).subarray(100, 160)),
    bytesCanary('the BLAKE3 of a block', blake3(block)),
    bytesCanary('the SHA-256 of a block', sha256(block)),
  ];
}

const canariesOfNames = (): Canary[] => Object.entries(names).map(([what, word]) => textCanary(what, word));

interface Scene extends Sightings {
  bench: VaultBench;
  canaries: Canary[];
}

/** Everything that a vault can hold comes to be, and all that is written is watched. */
async function everything(encrypted: boolean, compression: Compression): Promise<Scene> {
  const bench = await openBench(temp.fresh('canary'), { encrypted, compression });
  const folder = join(bench.folder, names.path);
  await mkdir(folder, { recursive: true });
  const keyFile = join(bench.folder, 'key');
  await writeFile(keyFile, Buffer.alloc(32, 'key of a canary'));
  const canaries = [
    ...canariesOfDisk(),
    ...canariesOfNames(),
    textCanary('the inside of a lock', '"token":"'),
    textCanary('the passphrase', PASSPHRASE.passphrase),
    bytesCanary('the key file', Buffer.alloc(32, 'key of a canary')),
  ];
  const sightings: Sightings = { seen: new Map(), paths: new Set() };
  wrapMemoryStore((bench.storeAddress as { name: string }).name, (store) => watched(store, canaries, sightings));
  const disk = async (seed: number): Promise<NamedDisk> => {
    const path = join(folder, 'image.raw');
    await writeFile(path, diskOf(seed));
    return { name: names.disk, address: { kind: 'file', path, format: 'raw' } };
  };
  {
    await using session = await bench.open();
    if (encrypted) canaries.push(bytesCanary('the master key', session.vault.keys.master));
    await useAll(session, disk, encrypted ? keyFile : undefined);
  }
  await hurt(bench);
  {
    await using session = await bench.open();
    await verify(session, { readData: true });
    await repairVault(session);
    await backup(session, names.item, [await disk(9)], OPTIONS);
  }
  for (const [path, bytes] of await readAll(bench.store))
    for (const what of [...seenIn(path, canaries), ...seenIn(bytes, canaries)]) sightings.seen.set(what, path);
  return { ...sightings, bench, canaries };
}

const { tag, note, hook } = names;
const OPTIONS: BackupOptions = { tags: [tag], note, pre: `echo ${hook}`, post: `echo ${hook}`, consistency: 'file' };

async function useAll(
  session: VaultSession,
  disk: (seed: number) => Promise<NamedDisk>,
  keyFile: string | undefined,
): Promise<void> {
  const { item, label } = names;
  await backup(session, item, [await disk(1)], { ...OPTIONS, type: 'full' });
  for (let seed = 2; seed < 6; seed++) await backup(session, item, [await disk(seed)], OPTIONS);
  if (keyFile !== undefined) {
    await addKey(session, { keyFile, label });
    await changeKey(session, PASSPHRASE);
  }
  const [first, second] = (await points(session, item)).points.map(({ point }) => `${item}@${point}`);
  await pin(session, second!);
  await forget(session, { refs: [first!] });
  await unforget(session, [first!]);
  await forget(session, { refs: [first!] });
  await protect(session, { minRetention: '1d' });
  await gc(session, { softDelete: 0, grace: 0 });
  while (session.vault.state.sequence < 64)
    await session.vault.commit(() => ({ type: 'setting', key: 'x', value: new Uint8Array(1) }));
}

/** So that repair has something to quarantine: a pack with a wrong byte, and an entry that is none. */
async function hurt({ store }: VaultBench): Promise<void> {
  const files = await readAll(store);
  const [path, bytes] = [...files].find(([name]) => name.startsWith('packs/'))!;
  bytes[200]! ^= 1;
  await putFile(store, path, bytes);
  const newest = [...files.keys()].filter((name) => name.startsWith('log/')).length;
  await putFile(store, `log/${String(newest + 1).padStart(20, '0')}`, new Uint8Array(300));
}

/** Kinds of files that must have come by. */
const KINDS = [
  ...[/^ckpt\//, /^index\//, /^keys\//, /^locks\//, /^log\//, /^packs\//, /^quarantine\//],
  ...[/^staging\/.*\/journal$/, /\/part-.*-pack-/, /\/part-.*-segment-/, /\/captured-/, /\/entry-/],
];

describe.each(['none', 'lz4'] as const)('a vault (compression: %s)', (compression) => {
  it('shows nothing of a disk, and no name, in whatever is ever written to it', async () => {
    const { bench, seen, paths, canaries } = await everything(true, compression);
    expect([...seen]).toEqual([]);
    for (const kind of KINDS)
      expect(
        [...paths].some((path) => kind.test(path)),
        String(kind),
      ).toBe(true);
    const headers = [...(await readAll(bench.store))].filter(([path]) => !/^(reserve|vault\.json)$/.test(path));
    const salts = headers.map(([, bytes]) => Buffer.from(bytes.subarray(48, 80)).toString('hex'));
    expect(new Set(salts).size).toBe(salts.length);
    // Nor does what this machine keeps of it.
    for (const folder of [bench.cache, bench.state]) {
      expect(readdirSync(folder)).not.toEqual([]);
      expect([...(await seenBelow(folder, canaries))]).toEqual([]);
    }
  });

  it('shows all of that where it is not encrypted: the search finds what is there', async () => {
    const { seen } = await everything(false, compression);
    const { label: _, ...shown } = names;
    expect([...seen.keys()].sort()).toEqual(
      ['a block of noise', 'a block of text', 'the inside of a lock', ...Object.keys(shown)].sort(),
    );
  });
});

const MIB = 1024 * 1024;

describe('the folders of a program that is killed while it stores blocks', () => {
  it.each([
    ['in the vault', false],
    ['elsewhere', true],
  ])('show nothing of a disk, and no name; its staging location is %s', async (_, elsewhere) => {
    const home = temp.fresh('program');
    const env = await programHome(home);
    const folder = join(home, names.path);
    await mkdir(folder);
    const image = join(folder, 'image.raw');
    // Something of it is in every part of a pack.
    const bytes = Buffer.from(noise(40 * MIB, 1));
    for (let at = 0; at < bytes.byteLength; at += 64 * 1024) bytes.write(PLAIN, at);
    await writeFile(image, bytes);
    const canaries = [
      ...[textCanary('the disk', PLAIN), ...canariesOfNames()],
      bytesCanary('the noise on it', bytes.subarray(1000, 1060)),
      bytesCanary('the key file', Buffer.alloc(32, 7)),
    ];
    expect(await runCli(['init', '--compression', 'none'], env)).toMatchObject({ exitCode: 0 });
    const staging = elsewhere ? join(home, 'staging') : join(home, 'vault', 'staging');
    const words = ['backup', names.item, `${names.disk}=${image}`, '--note', names.note, '--tag', names.tag];
    const run = startCli([...words, ...(elsewhere ? ['--staging', staging] : [])], env);
    const isStoring = (): boolean => partsBelow(staging).some((path) => statSync(path).size > MIB);
    expect(await seenBeforeEnd(run, isStoring)).toBe(true);
    run.child.kill('SIGSTOP');
    const places = [join(home, 'vault'), ...(elsewhere ? [staging] : [])];
    for (const place of places) expect([...(await seenBelow(place, canaries))]).toEqual([]);
    expect(readdirSync(join(home, 'vault', 'locks'))).not.toEqual([]);
    run.child.kill('SIGKILL');
    await run.ended;
    for (const place of places) expect([...(await seenBelow(place, canaries))]).toEqual([]);
    expect(partsBelow(staging)).not.toEqual([]);
  });
});

function partsBelow(staging: string): string[] {
  if (!existsSync(staging)) return [];
  const names = readdirSync(staging, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\/part-.*-pack-/.test(name)).map((name) => join(staging, name));
}
