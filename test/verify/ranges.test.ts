import { beforeAll, describe, expect, it } from 'vitest';
import { VhdvaultError } from '../../src/base/errors.ts';
import { forget } from '../../src/jobs/forget-job.ts';
import { gc } from '../../src/jobs/gc-job.ts';
import { repairVault } from '../../src/jobs/vault-repair-job.ts';
import { verify } from '../../src/jobs/verify-job.ts';
import type { VerifyResult } from '../../src/jobs/verify-types.ts';
import { catalog } from '../../src/point/catalog.ts';
import { packPath } from '../../src/vault/block-writer.ts';
import type { BadFrames } from '../../src/vault/log/bad-frames.ts';
import { Findings } from '../../src/verify/findings.ts';
import { Loss } from '../../src/verify/loss.ts';
import { type HurtItem, makeHurtItem } from '../support/hurt-item.ts';
import { failReads, flipAt, hurt, ioFailure } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
let item: HurtItem;
let [first, second] = ['', ''];

beforeAll(async () => {
  item = await makeHurtItem(folder.fresh('ranges'));
  await using session = await item.bench.open();
  [first, second] = catalog(session.vault).map(({ id }) => `a@${id}`) as [string, string];
});

/** Of the second point, as one finding tells them. */
function rangesOf({ findings }: VerifyResult): { offset: number; length: number }[] {
  expect(findings).toHaveLength(1);
  const ranges = findings[0]!.ranges.filter(({ point }) => point === second);
  return ranges.map(({ offset, length }) => ({ offset, length }));
}

describe('a finding', () => {
  it('tells all that a lost map page covers, found without reading data', async () => {
    for (const level of [0, 1, 2, 3]) {
      for (const { id, offset, length } of item.pagesOf(level)) {
        await using _ = await item.hurtBlock(id);
        for (const readData of [false, true]) {
          const result = await item.bench.verify(readData);
          expect(result.findings[0]).toMatchObject({ severity: 'damage', code: 'PACK', moreRanges: 0 });
          expect(rangesOf(result)).toEqual([{ offset, length }]);
        }
      }
    }
  });

  it('tells where a lost block is, in every place and in every point that has it', async () => {
    for (const n of [2, 4, 20, 255, 261]) {
      const id = item.blockAt(n);
      await using _ = await item.hurtBlock(id);
      const result = await item.bench.verify(true);
      expect(rangesOf(result)).toEqual(item.gone(id));
      // The second backup changed blocks 4 to 7.
      expect(result.findings[0]!.points).toEqual(n === 4 ? [second] : [first, second]);
    }
  });

  it('of the structure never reads the data', async () => {
    const packs = new Set(
      [...item.places.values()].flat().flatMap(({ kind, pack }) => (kind === 0 ? packPath(pack) : [])),
    );
    using _ = failReads(item.bench.storeAddress, (path) => (packs.has(path) ? ioFailure() : undefined));
    expect((await item.bench.verify()).findings).toEqual([]);
  });
});

describe('what cannot be read', () => {
  it('is told as that, with the device as the cure, and never as wrong bytes', async () => {
    const { bench, places } = item;
    const [block] = places.get(item.blockAt(4))!;
    const [page] = places.get(item.pagesOf(0)[0]!.id)!;
    for (const [place, readData] of [
      [block!, true],
      [page!, true],
      [page!, false],
    ] as const) {
      const [from, to] = [place.offset, place.offset + place.storedLength];
      using _ = failReads(bench.storeAddress, (path, at, length) =>
        path === packPath(place.pack) && at < to && at + length > from ? ioFailure() : undefined,
      );
      const result = await bench.verify(readData);
      expect(result.ok).toBe(false);
      expect(result.findings).toMatchObject([
        { severity: 'damage', code: 'IO', where: packPath(place.pack), cure: 'look at the device' },
      ]);
      // One sector takes one block with it, or what its page covers.
      const id = place === block ? item.blockAt(4) : item.pagesOf(0)[0]!.id;
      expect(rangesOf(result)).toEqual(item.gone(id));
    }
  });

  it('is told of segments, slots, the log and the reserve alike', async () => {
    const { bench } = item;
    const some = async (place: string): Promise<string> => `${place}/${(await bench.store.list(place))[0]}`;
    await using session = await bench.open();
    const { store } = session.vault;
    const { get, open } = store;
    for (const path of [await some('index'), await some('keys'), await some('log'), 'reserve']) {
      const fails =
        <T>(work: (path: string) => Promise<T>) =>
        (asked: string): Promise<T> =>
          asked === path ? Promise.reject(ioFailure()) : work(asked);
      Object.assign(store, { get: fails(get), open: fails(open) });
      const { ok, findings } = await verify(session);
      expect(ok, path).toBe(false);
      const told = findings.filter(({ where }) => where === path);
      expect(told, path).toMatchObject([{ severity: 'damage', code: 'IO', cure: 'look at the device' }]);
      expect(
        findings.every(({ code }) => ['IO', 'BLOCK', 'ORPHANS'].includes(code)),
        path,
      ).toBe(true);
    }
  });

  it('for want of something of this machine is no finding', async () => {
    const lacks = new VhdvaultError('IO', 'too many files are open', { details: { system: 'EMFILE' } });
    using _ = failReads(item.bench.storeAddress, (path) => (path.startsWith('packs/') ? lacks : undefined));
    for (const readData of [false, true])
      await expect(item.bench.verify(readData)).rejects.toMatchObject({ code: 'IO', message: lacks.message });
  });
});

describe('a quarantined pack', () => {
  it('is damage while points need what is lost in it, and a remark when none does', async () => {
    const made = await makeHurtItem(folder.fresh('quarantine'));
    const id = made.blockAt(4);
    const [place] = made.places.get(id)!;
    await using _ = await hurt(made.bench.store, packPath(place!.pack), flipAt(place!.offset + 20));
    {
      await using session = await made.bench.open();
      const frames: BadFrames = [place!.ordinal];
      await session.vault.commit(() => ({ type: 'quarantine', pack: place!.pack, frames }));
      for (const readData of [false, true]) {
        const { findings } = await verify(session, { readData });
        expect(findings).toMatchObject([{ severity: 'damage', code: 'QUARANTINED', where: packPath(place!.pack) }]);
        expect(findings[0]!.ranges.map(({ offset, length }) => ({ offset, length }))).toEqual(made.gone(id));
      }
    }
    const again = await made.bench.backup('a', []);
    expect(again.healed).toBeGreaterThan(0);
    expect((await made.bench.verify(true)).findings).toMatchObject([{ severity: 'info', code: 'QUARANTINED' }]);
  });
  it('names which points are forgotten already, and never asks to forget them again', async () => {
    const { bench, blockAt, places } = await makeHurtItem(folder.fresh('forgotten'));
    await bench.backup('a', []);
    const [place] = places.get(blockAt(4))!;
    await using session = await bench.open();
    const frames: BadFrames = [place!.ordinal];
    await session.vault.commit(() => ({ type: 'quarantine', pack: place!.pack, frames }));
    const refs = (await verify(session)).findings[0]!.points;
    expect(refs).toHaveLength(2);
    const steps = [
      [[], /`vhdvault forget` them; others restore$/],
      [refs.slice(0, 1), /`vhdvault forget` them; others restore; nothing is to be done for forgotten ones: /],
      [refs, /^nothing is to be done for forgotten ones: .*`--soft-delete 0s`$/],
    ] as const;
    for (const [forgotten, cure] of steps) {
      if (forgotten.length > 0) await forget(session, { refs: [...forgotten] }, { force: true });
      expect((await verify(session)).findings).toMatchObject([
        { severity: 'damage', points: refs, forgotten, cure: expect.stringMatching(cure) },
      ]);
    }
    // As the cure says.
    await gc(session, { softDelete: 0 });
    expect((await verify(session)).ok).toBe(true);
  });
});

describe('a repair', () => {
  it('asks for a backup only where a point that is not forgotten lost something', async () => {
    const { bench, blockAt, places } = await makeHurtItem(folder.fresh('repaired'));
    const [place] = places.get(blockAt(4))!;
    await using _ = await hurt(bench.store, packPath(place!.pack), flipAt(place!.offset + 20));
    await using session = await bench.open();
    const [ref] = (await verify(session, { readData: true })).findings[0]!.points;
    await forget(session, { refs: [ref!] }, { force: true });
    expect(await repairVault(session)).toMatchObject({ ok: true, actions: [{ action: 'quarantine' }], warnings: [] });
  });
});

describe('findings', () => {
  it('list at most a thousand ranges, and say how many there are', () => {
    const findings = new Findings();
    const finding = findings.tell('damage', { code: 'X', what: '', where: '', cure: '' });
    for (let n = 0; n < 3000; n++) findings.hit(finding, { point: 'a@p', disk: 'd', offset: 2 * n, length: 1 });
    expect([finding.ranges.length, finding.moreRanges]).toEqual([1000, 2000]);
    findings.hit(finding, { point: 'a@p', disk: 'd', offset: 5999, length: 1 });
    findings.hit(finding, { point: 'a@q', disk: 'd', offset: 6000, length: 1 });
    expect([finding.points, finding.moreRanges]).toEqual([['a@p', 'a@q'], 2001]);
  });

  it('of all ranges that were ever lost keep 100,000', () => {
    const findings = new Findings();
    for (let k = 0; k < 150; k++) {
      const finding = findings.tell('damage', { code: 'X', what: '', where: '', cure: '' });
      for (let n = 0; n < 1000; n++) findings.hit(finding, { point: 'a@p', disk: 'd', offset: 2 * n, length: 1 });
      expect(finding.ranges.length + finding.moreRanges).toBe(1000);
    }
    expect(findings.all.reduce((sum, { ranges }) => sum + ranges.length, 0)).toBe(100_000);
  });

  it('of more than a thousand damaged packs are a thousand and one', () => {
    const findings = new Findings();
    const troubles = Array.from({ length: 1500 }, (_, n) => ({
      ...{ pack: String(n).padStart(64, '0'), trouble: { what: 'is missing', unread: null }, lost: 'all' as const },
    }));
    const loss = new Loss(findings, troubles, new Map());
    expect(findings.all).toHaveLength(1001);
    expect(findings.all.at(-1)).toMatchObject({ what: '500 more packs are damaged or missing', where: 'packs' });
    const cause = { id: new Uint8Array(32), packs: [troubles[1400]!.pack] };
    loss.hit('a@p', { disk: 'd', offset: 0, length: 512, count: 1, cause });
    expect(findings.all.at(-1)).toMatchObject({ points: ['a@p'], ranges: [{ disk: 'd', offset: 0, length: 512 }] });
  });
});
