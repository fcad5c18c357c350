import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { fromHex } from '../../src/base/hex.ts';
import { restore } from '../../src/jobs/restore-job.ts';
import { catalog } from '../../src/point/catalog.ts';
import { PointBlocks } from '../../src/point/point-blocks.ts';
import { type BlockLocation, openSegmentIndex } from '../../src/vault/block-index.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import { BLOCK, bytesOf, type HurtItem, LEAF, makeHurtItem, SIZE } from '../support/hurt-item.ts';
import { failReads, flipAt, hurt, lostWithout, type Range, readMaps } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { noise } from '../support/vault-bench.ts';

const folder = tempFolder({ inMemory: true });
let scene: HurtItem;

beforeAll(async () => {
  scene = await makeHurtItem(folder.fresh('scene'));
});

describe('a pack that cannot be read', () => {
  const packsOf = (ids: readonly string[]): string[] => [
    ...new Set(ids.flatMap((id) => scene.places.get(id)!.map(({ pack }) => pack))),
  ];
  const inPack = (pack: string): Range[] =>
    lostWithout(scene.map, (id) => scene.places.get(id)!.every((place) => place.pack === pack));

  it('takes exactly what only it has', async () => {
    const packs = packsOf([...scene.places.keys()]);
    expect(packs.length).toBeGreaterThan(2);
    const lost: Range[][] = [];
    for (const pack of packs) {
      await using _ = await hurt(scene.bench.store, packPath(pack), () => undefined);
      await scene.expectRefused('VAULT_DAMAGED');
      const { result, disk } = await scene.best({ format: 'dynamic' });
      expect(disk.lost).toEqual(inPack(pack));
      expect(result.warnings[0]).toContain(`${packPath(pack)} is missing`);
      lost.push(disk.lost);
    }
    // The blocks of the second backup, those of the first, and its map.
    expect(lost).toContainEqual([
      { offset: 4 * BLOCK, length: 4 * BLOCK },
      { offset: 2 * LEAF + 2 * BLOCK, length: BLOCK + 5 * 512 },
    ]);
    expect(lost).toContainEqual([{ offset: 0, length: SIZE }]);
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['a flip in the magic', flipAt(3)],
    ['a header of a later format', flipAt(8)],
    ['a flip in the salt', flipAt(60)],
    ['nothing in it', () => new Uint8Array(0)],
    ['half of it', (bytes) => bytes.subarray(0, bytes.byteLength >> 1)],
    ['zeros', (bytes) => new Uint8Array(bytes.byteLength)],
    ['other bytes', (bytes) => noise(bytes.byteLength, 9)],
  ])('loses no more than a missing one would, whatever it has (%s)', async (_, change) => {
    for (const pack of packsOf([...scene.places.keys()])) {
      await using _hurt = await hurt(scene.bench.store, packPath(pack), change);
      const { disk } = await scene.best();
      expect(disk.lostBytes).toBeGreaterThan(0);
      expect(disk.lostBytes).toBeLessThanOrEqual(bytesOf(inPack(pack)));
    }
  });

  it('is told as an I/O error where the device fails, and what is damaged is told as that', async () => {
    const [changed, shared] = [scene.blockAt(5), scene.blockAt(20)].map((id) => scene.places.get(id)![0]!);
    const path = packPath(changed!.pack);
    expect(path).not.toBe(packPath(shared!.pack));
    using _ = failReads(scene.bench.storeAddress, (read) => (read === path ? eio(read) : undefined));
    await scene.expectRefused('IO');
    const { result, disk } = await scene.best();
    expect(disk.lost).toEqual(inPack(changed!.pack));
    expect(result.warnings[0]).toMatch(
      /; all of these bytes met an I\/O error or a missing permission, and may be read when its cause is gone$/,
    );
    await using __ = await scene.hurtBlock(scene.blockAt(20));
    const both = await scene.best();
    expect(both.disk.lostBytes).toBe(disk.lostBytes + 3 * BLOCK);
    expect(both.result.warnings[0]).toContain(`; ${disk.lostBytes} of these bytes met an I/O error`);
  });

  it('is restored but for what a permission denies', async () => {
    const [changed] = scene.places.get(scene.blockAt(5))!;
    const denied = (path: string): VhdvaultError => new VhdvaultError('NO_PERMISSION', `not allowed: reading ${path}`);
    using _ = failReads(scene.bench.storeAddress, (read) =>
      read === packPath(changed!.pack) ? denied(read) : undefined,
    );
    await scene.expectRefused('NO_PERMISSION');
    const { result, disk } = await scene.best();
    expect(disk.lost).toEqual(inPack(changed!.pack));
    expect(result.warnings[0]).toMatch(/a missing permission, and may be read when its cause is gone$/);
  });

  it('loses one block to one bad sector: the read of its neighbours at once fails, each alone does not', async () => {
    const { pack, offset, storedLength } = scene.places.get(scene.blockAt(6))![0]!;
    using _ = failReads(scene.bench.storeAddress, (path, position, length) =>
      path === packPath(pack) && position < offset + storedLength && position + length > offset ? eio(path) : undefined,
    );
    const { disk } = await scene.best();
    expect(disk.lost).toEqual([{ offset: 6 * BLOCK, length: BLOCK }]);
  });

  it('loses no block that came before it: a block is in the image or in the list', async () => {
    const [first, second] = [scene.blockAt(5), scene.blockAt(20)].map((id) => scene.places.get(id)![0]!.pack).sort();
    await using _ = await hurt(scene.bench.store, packPath(second!), () => undefined);
    // Of the other pack, all is read in one go; once more, and it would fail.
    let reads = 0;
    using __ = failReads(scene.bench.storeAddress, (path, position) =>
      path === packPath(first!) && position > 96 && reads++ > 0 ? eio(path) : undefined,
    );
    const { disk } = await scene.best({ format: 'dynamic' });
    expect(reads).toBeGreaterThan(0);
    expect(disk.lostBytes).toBeGreaterThanOrEqual(bytesOf(inPack(second!)));
  });

  it.each(['EMFILE', 'ENFILE', 'ENOMEM'])('is not lost where this machine lacks something (%s)', async (system) => {
    using _ = failReads(scene.bench.storeAddress, (path) =>
      path.startsWith('packs/') ? eio(path, system) : undefined,
    );
    await using session = await scene.bench.open();
    const to = join(scene.bench.folder, 'lacks', 'x.raw');
    await expect(restore(session, 'a', { to, bestEffort: true })).rejects.toMatchObject({ code: 'IO' });
    expect(await readdir(join(to, '..'))).toEqual([]);
  });
});

function eio(path: string, system = 'EIO'): VhdvaultError {
  return new VhdvaultError('IO', `reading ${path} failed: ${system}`, { details: { path, system } });
}

describe('an I/O error that comes and goes', () => {
  const leaf = (): { page: Range; path: string; offset: number } => {
    const { id, offset, length } = scene.pagesOf(0)[1]!;
    const place = scene.places.get(id)![0]!;
    return { page: { offset, length }, path: packPath(place.pack), offset: place.offset };
  };

  it.each(['raw', 'dynamic'] as const)(
    'while the image is planned loses what the page covers: the image has no place for it (%s)',
    async (format) => {
      const { page, path, offset } = leaf();
      let left = 2;
      using _ = failReads(scene.bench.storeAddress, (read, position, length) => {
        const covers = read === path && position <= offset && offset < position + length;
        return covers && left-- > 0 ? eio(read) : undefined;
      });
      const { disk } = await scene.best({ format });
      expect(left).toBe(0);
      expect(disk.lost).toEqual([page]);
    },
  );

  it.each(['raw', 'dynamic'] as const)('while it is written leaves zeros there (%s)', async (format) => {
    const { page, path, offset } = leaf();
    let reads = 0;
    using _ = failReads(scene.bench.storeAddress, (read, position, length) => {
      const covers = read === path && position <= offset && offset < position + length;
      return covers && reads++ > 0 ? eio(read) : undefined;
    });
    const { disk } = await scene.best({ format });
    expect(reads).toBeGreaterThan(1);
    expect(disk.lost).toEqual([page]);
  });
});

describe('a segment of the index that cannot be read', () => {
  const forget = (): Promise<void> => rm(scene.bench.cache, { recursive: true });

  it('loses nothing where the local index knows what it said, and one block where that is damaged too', async () => {
    await scene.best();
    await using _ = await hurtSegments('damaged');
    expect((await scene.best()).disk.lost).toEqual([]);
    await using __ = await scene.hurtBlock(scene.blockAt(6));
    expect((await scene.best()).disk.lost).toEqual(scene.gone(scene.blockAt(6)));
  });

  it.each(['damaged', 'missing'] as const)('takes all, where nothing else has it (%s)', async (how) => {
    await using _ = await hurtSegments(how);
    await forget();
    await scene.expectRefused('VAULT_DAMAGED');
    const { disk } = await scene.best();
    expect(disk.lost).toEqual([{ offset: 0, length: SIZE }]);
  });

  it('that the device does not give is an I/O error', async () => {
    await forget();
    using _ = failReads(scene.bench.storeAddress, (path) => (path.startsWith('index/') ? eio(path) : undefined));
    const { result, disk } = await scene.best();
    expect(disk.lost).toEqual([{ offset: 0, length: SIZE }]);
    expect(result.warnings[0]).toMatch(/; all of these bytes met an I\/O error/);
  });

  it('loses nothing that another one has', async () => {
    const own = await makeHurtItem(folder.fresh('copies'));
    const { store, cache } = own.bench;
    await using session = await own.bench.open();
    const [, second] = catalog(session.vault);
    const ref = `a@${second!.id}`;
    const { segment } = session.vault.state.segments[0]!;
    await using _ = await hurt(store, `index/${segment}`, flipAt(100));
    await rm(cache, { recursive: true });
    expect((await own.best({ ref })).disk.lostBytes).toBeGreaterThan(10 * BLOCK);
    // It stores again what it cannot find, which the point before it shares.
    await own.bench.backup('a', []);
    await rm(cache, { recursive: true });
    expect((await own.best({ ref })).disk.lost).toEqual([]);
  });

  async function hurtSegments(how: 'damaged' | 'missing'): Promise<AsyncDisposable> {
    const stack = new AsyncDisposableStack();
    for (const name of await segmentsOf(scene))
      stack.use(await hurt(scene.bench.store, `index/${name}`, how === 'missing' ? () => undefined : flipAt(100)));
    return stack;
  }

  const segmentsOf = ({ bench }: HurtItem): Promise<string[]> => bench.store.list('index');
});

describe('a block with two copies', () => {
  it('is lost only when both are, and may come back where one of them met an I/O error', async () => {
    const own = await makeHurtItem(folder.fresh('twice'));
    const { store, cache, storeAddress } = own.bench;
    {
      const [name] = await store.list('index');
      await using _ = await hurt(store, `index/${name}`, flipAt(100));
      await rm(cache, { recursive: true });
      await own.bench.backup('a', []);
    }
    await rm(cache, { recursive: true });
    const { disks, places } = await readMaps(own.bench, 'a');
    const n = disks[0]!.blocks.findIndex((id) => places.get(id)?.length === 2);
    const both = places.get(disks[0]!.blocks[n]!)!;
    const hurtCopy = ({ pack, offset }: { pack: string; offset: number }): Promise<AsyncDisposable> =>
      hurt(store, packPath(pack), flipAt(offset + 20));
    for (const [one, other] of [both, both.toReversed()] as [BlockLocation, BlockLocation][]) {
      await using _ = await hurtCopy(one);
      expect((await own.best()).disk.lost).toEqual([]);
      expect(await readStraight(own, disks[0]!.blocks[n]!)).toEqual(own.source.slice(n * BLOCK, (n + 1) * BLOCK));
      using _fails = failReads(storeAddress, (path) => (path === packPath(other.pack) ? eio(path) : undefined));
      const { result } = await own.best();
      expect(result.disks[0]!.lost).toContainEqual(expect.objectContaining({ offset: n * BLOCK }));
      expect(result.warnings[0]).toMatch(/; all of these bytes met an I\/O error/);
    }
    await using _ = await hurtCopy(both[0]!);
    await using __ = await hurtCopy(both[1]!);
    const { result, disk } = await own.best();
    expect(disk.lost).toEqual([{ offset: n * BLOCK, length: BLOCK }]);
    expect(result.warnings[0]).not.toMatch(/I\/O/);
  });

  /** By the vault's segments, without a local index. */
  async function readStraight({ bench }: HurtItem, id: string): Promise<Uint8Array | undefined> {
    await using session = await bench.open();
    const { store, keys, state } = session.vault;
    const names = state.segments.map(({ segment }) => segment);
    const index = await openSegmentIndex(store, keys, names);
    await using blocks = new PointBlocks({ store, keys, blockSize: BLOCK, index });
    const found: Uint8Array[] = [];
    await blocks.readData([fromHex(id)], (_, raw) => found.push(Uint8Array.from(raw)));
    return found[0];
  }
});
