import { execFileSync } from 'node:child_process';
import { mkdir, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { scrub } from '../../src/jobs/scrub-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import { openInThreadPool } from '../../src/pool/in-thread-pool.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { sealLock } from '../../src/vault/sealed-file.ts';
import { logEntryPath } from '../../src/vault/vault.ts';
import { putFile } from '../support/copied-store.ts';
import { packsOf } from '../support/many-points.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk, type VaultBench } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
const KINDS = ['vault.json', 'keys', 'log', 'ckpt', 'index', 'packs', 'locks', 'reserve'] as const;
const objects = {} as Record<(typeof KINDS)[number], string>;
let bench: VaultBench;

beforeAll(async () => {
  bench = await openBench(folder.fresh('no-file'), { where: 'folder', inThread: true });
  await mkdir(bench.folder, { recursive: true });
  await bench.backup('a', [await rawDisk(join(bench.folder, 'disk'), noise(5 * 16 * 1024, 1))]);
  await using session = await bench.open();
  const { vault } = session;
  while (vault.state.sequence < 34) await vault.commit(() => ({ type: 'setting', key: 'k', value: new Uint8Array(9) }));
  objects['vault.json'] = 'vault.json';
  objects.reserve = 'reserve';
  objects.log = logEntryPath(33);
  objects.packs = packPath((await packsOf(bench)).packs[0]!);
  objects.locks = `locks/${vault.nameHash('item', 'a')}`;
  await putFile(vault.store, objects.locks, sealLock(vault, new TextEncoder().encode('{}')));
  for (const kind of ['keys', 'ckpt', 'index'] as const) objects[kind] = `${kind}/${(await vault.store.list(kind))[0]}`;
});

/** Something else in the place of an object, until the end. */
async function instead(path: string, make: (path: string) => unknown): Promise<AsyncDisposable> {
  const [place, aside] = [join(bench.address, path), join(bench.folder, 'aside')];
  await rename(place, aside);
  await make(place);
  return {
    async [Symbol.asyncDispose]() {
      await rm(place, { recursive: true });
      await rename(aside, place);
    },
  };
}

const ways = [
  ['a folder', (path: string) => mkdir(path), /is a folder/],
  ['a pipe', (path: string) => execFileSync('mkfifo', [path]), /a pipe/],
  ['a link that leads nowhere', (path: string) => symlink('nowhere', path), /missing|leads nowhere/],
] as const;

describe.each(ways)('%s in the place of an object', (way, make, words) => {
  it.each(KINDS.filter((kind) => kind !== 'vault.json' && kind !== 'locks'))('is told by verify (%s)', async (kind) => {
    // Opened before: with no slot nobody opens the vault.
    await using session = await bench.open();
    await using _ = await instead(objects[kind], make);
    const about = (await verify(session)).findings.filter(({ where }) => where === objects[kind]);
    // Nobody misses a checkpoint.
    if (kind === 'ckpt' && way.includes('link')) expect(about).toEqual([]);
    else expect(about).toMatchObject([{ what: expect.stringMatching(words) }]);
  });

  it('is told by verify, and taken over by the next run (locks)', async () => {
    await using session = await bench.open();
    await using _ = await instead(objects.locks, make);
    const { ok, findings } = await verify(session);
    expect(ok).toBe(true);
    if (!way.includes('link')) expect(findings).toMatchObject([{ code: 'LOCK', where: objects.locks }]);
  });

  it('keeps the vault shut, and says so (vault.json)', async () => {
    await using _ = await instead('vault.json', make);
    await expect(bench.open()).rejects.toMatchObject(
      way.includes('link') ? { code: 'VAULT_MISSING' } : { code: 'VAULT_DAMAGED', message: /no file/ },
    );
  });

  it.each(KINDS.filter((kind) => kind !== 'locks'))('is told by scrub, which waits for nothing (%s)', async (kind) => {
    await using _ = await instead(objects[kind], make);
    const parts = { store: bench.storeAddress, pool: openInThreadPool(1) };
    const about = (await scrub('folder', { parts })).findings.filter(({ where }) => where === objects[kind]);
    if (way.includes('link') && (kind === 'keys' || kind === 'ckpt')) expect(about).toEqual([]);
    else expect(about).toHaveLength(1);
  });
});
