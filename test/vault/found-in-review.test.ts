import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { LocationTable } from '../../src/cache/location-table.ts';
import { writeSegments } from '../../src/cache/write-segments.ts';
import { backup } from '../../src/jobs/backup-job.ts';
import { items } from '../../src/jobs/points.ts';
import { allOrFirstCause } from '../../src/pool/all-or-first-cause.ts';
import { logPath } from '../../src/vault/log/entry.ts';
import { packPath } from '../../src/vault/pack/pack-reader.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise, openBench, rawDisk } from '../support/vault-bench.ts';

const temp = tempFolder({ inMemory: true });
const BLOCK = 16 * 1024;

describe('the local index', () => {
  it('takes in what came since all at once with the entry that binds it, or not at all', async () => {
    const bench = await openBench(temp.fresh('bench'));
    const disk = await rawDisk(join(temp.path, 'a.raw'), noise(40 * BLOCK, 1));
    await bench.backup('one', [disk]);
    const other = { ...bench, cache: join(bench.folder, 'other-cache') };
    await using session = await other.open({ cache: other.cache });
    const { segment } = session.vault.state.segments[0]!;
    const whole = await bench.store.get(`index/${segment}`);
    await bench.store.remove(`index/${segment}`);
    await bench.store.create(`index/${segment}`).then((file) => file.write([whole.slice(0, whole.byteLength - 1)]));
    await expect(backup(session, 'two', [disk])).resolves.toMatchObject({ type: 'full' });
    using table = new LocationTable(join(session.cache, 'index.sqlite'), { readOnly: true });
    expect([table.packs(), table.fact('head')]).toEqual([[], undefined]);
  });

  it('that holds rows and is bound to no entry is thrown away', async () => {
    const bench = await openBench(temp.fresh('bench'));
    const disk = await rawDisk(join(temp.path, 'b.raw'), noise(4 * BLOCK, 2));
    await bench.backup('one', [disk]);
    await using session = await bench.open();
    {
      using database = new DatabaseSync(join(session.cache, 'index.sqlite'));
      database.exec('DELETE FROM facts');
    }
    const { reason } = await backup(session, 'one', [disk]);
    expect(reason).toMatch(/bound to no log entry/);
  });
});

describe('the index of a run, from which the segment is written,', () => {
  const overlayOf = async (change: (database: DatabaseSync) => void, missing = 0): Promise<Promise<unknown>> => {
    const bench = await openBench(temp.fresh('bench'));
    const disk = await rawDisk(join(bench.folder, 'c.raw'), noise(8 * BLOCK, 3));
    await bench.backup('one', [disk]);
    await using session = await bench.open();
    const file = join(session.cache, 'index.sqlite');
    using database = new DatabaseSync(file);
    change(database);
    using overlay = new LocationTable(file);
    await bench.store.makeFolder('staging/AzureBackup-test');
    const job = { job: '0'.repeat(32), folder: 'staging/AzureBackup-test', run: '00000000' };
    return await writeSegments({ vault: session.vault, ...job }, overlay, overlay.packs().length + missing);
  };

  it('makes no point when one of its rows was changed', async () => {
    const change = (database: DatabaseSync) => database.exec('UPDATE blocks SET start = start + 1 WHERE frame = 3');
    await expect(overlayOf(change)).rejects.toMatchObject({ code: 'IO' });
  });

  it('makes no point when one of its rows is gone', async () => {
    const change = (database: DatabaseSync) => database.exec('DELETE FROM blocks WHERE frame = 3 AND kind = 0');
    await expect(overlayOf(change)).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/7 of the 8 blocks/),
    });
  });

  it('makes no point when it does not know all packs that the run stored: somebody emptied the cache meanwhile', async () => {
    await expect(overlayOf(() => undefined, 1)).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/knows 2 packs of 3/),
      hint: expect.stringMatching(/cache folder/),
    });
  });

  it('makes no point when one of its packs is not in the vault', async () => {
    const change = (database: DatabaseSync) => database.exec('UPDATE packs SET size = size + 1');
    await expect(overlayOf(change)).rejects.toMatchObject({ code: 'IO', message: expect.stringMatching(/expected/) });
  });
});

it('verify --read-data finds an index that says another place than the pack, though both are whole', async () => {
  const bench = await openBench(temp.fresh('bench'), { encrypted: false });
  const disk = await rawDisk(join(bench.folder, 'd.raw'), noise(8 * BLOCK, 4));
  // The run's own index is wrong from the beginning, check and all: as a bad memory would make it.
  const original = LocationTable.prototype.addBlocks;
  LocationTable.prototype.addBlocks = function (rows) {
    original.call(
      this,
      [...rows].map((row) => (row.ordinal === 3 && row.kind === 0 ? { ...row, offset: row.offset + 1 } : row)),
    );
  };
  try {
    await bench.backup('one', [disk]);
  } finally {
    LocationTable.prototype.addBlocks = original;
  }
  const { ok, findings } = await bench.verify(true);
  expect(ok).toBe(false);
  expect(findings).toMatchObject([{ code: 'PACK', what: expect.stringMatching(/1 blocks where the index says/) }]);
  expect(findings[0]?.points).toHaveLength(1);
});

it('a block that two runs stored at once survives the loss of one copy, and verify says so', async () => {
  const bench = await openBench(temp.fresh('bench'));
  const bytes = noise(8 * BLOCK, 5);
  const disk = await rawDisk(join(bench.folder, 'e.raw'), bytes);
  await Promise.all([bench.backup('one', [disk]), bench.backup('two', [disk])]);
  const packs = new Set<string>();
  {
    await using session = await bench.open();
    using table = new LocationTable(join(session.cache, 'index.sqlite'), { readOnly: true });
    for (const { pack } of table.findAll([...table.rows()].find(({ kind }) => kind === 0)!.id)) packs.add(pack);
  }
  expect(packs.size).toBe(2);
  for (const lost of packs) {
    const path = packPath(lost);
    const whole = await bench.store.get(path);
    await bench.store.remove(path);
    expect(await bench.restored('one')).toEqual(Buffer.from(bytes));
    expect(await bench.restored('two')).toEqual(Buffer.from(bytes));
    const { findings } = await bench.verify(true);
    expect(findings).toMatchObject([{ code: 'PACK', points: [] }]);
    await bench.store.create(path).then((file) => file.write([whole]));
  }
});

it('a run does not build on a history that went back while it ran', async () => {
  const bench = await openBench(temp.fresh('bench'));
  const disk = await rawDisk(join(bench.folder, 'f.raw'), noise(4 * BLOCK, 6));
  await bench.backup('one', [disk]);
  await using session = await bench.open();
  await bench.store.remove(logPath(session.vault.state.sequence));
  await expect(backup(session, 'one', [disk], { type: 'full' })).rejects.toMatchObject({ code: 'VAULT_ROLLED_BACK' });
  await rm(bench.state, { recursive: true });
  await using later = await bench.open();
  expect(later.vault.damage).toBeUndefined();
  expect((await items(later)).items).toEqual([]);
});

it('a flipped bit in the format of the newest entry is damage, not a newer version', async () => {
  const bench = await openBench(temp.fresh('bench'));
  const disk = await rawDisk(join(bench.folder, 'g.raw'), noise(4 * BLOCK, 7));
  await bench.backup('one', [disk]);
  await bench.backup('one', [disk]);
  const { sequence } = (await bench.open()).vault.state;
  const bytes = await bench.store.get(logPath(sequence));
  bytes[9] = 1;
  await bench.store.remove(logPath(sequence));
  await bench.store.create(logPath(sequence)).then((file) => file.write([bytes]));
  await using session = await bench.open();
  expect(session.vault.damage).toMatchObject({ code: 'VAULT_DAMAGED' });
  expect((await items(session)).items).toMatchObject([{ item: 'one', points: 1 }]);
});

it('of several runs that fail, the cause is told, and the others are stopped at once', async () => {
  const stopped = Promise.withResolvers<void>();
  const cause = { code: 'NO_SPACE' };
  const runs = [stopped.promise.then(() => Promise.reject({ code: 'CANCELLED' })), Promise.reject(cause)];
  await expect(allOrFirstCause(runs, stopped.resolve)).rejects.toBe(cause);
});

it('a job that cannot be opened fails with that cause, not as if it had been cancelled', async () => {
  const bench = await openBench(temp.fresh('bench'));
  const disk = await rawDisk(join(bench.folder, 'h.raw'), noise(4 * BLOCK, 8));
  await using session = await bench.open();
  const cause = new VhdvaultError('NO_SPACE', 'no room for the entry');
  session.vault.openJob = () => Promise.reject(cause);
  await expect(backup(session, 'one', [disk])).rejects.toMatchObject({ code: 'NO_SPACE' });
});
