import { beforeAll, describe, expect, it } from 'vitest';
import { openBlocks } from '../../src/jobs/open-blocks.ts';
import { findPoint } from '../../src/point/catalog.ts';
import { PointDisk } from '../../src/point/point-disk.ts';
import { joinLost, nothingLost } from '../../src/restore/lost.ts';
import { BLOCK, bytesOf, type HurtItem, LEAF, makeHurtItem, SIZE } from '../support/hurt-item.ts';
import type { Range } from '../support/hurt-vault.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = tempFolder({ inMemory: true });
let scene: HurtItem;

beforeAll(async () => {
  scene = await makeHurtItem(folder.fresh('scene'));
});

describe('a disk of a point', () => {
  it('tells what of the range that was asked for is lost, not more, wherever it begins and ends', async () => {
    const [, leaf] = scene.pagesOf(0);
    await using _ = await scene.hurtBlock(leaf!.id);
    await using __ = await scene.hurtBlock(scene.blockAt(20));
    await using ___ = await scene.hurtBlock(scene.blockAt(4));
    const lost = scene.gone(leaf!.id, scene.blockAt(20), scene.blockAt(4));
    await using session = await scene.bench.open();
    const told: Range[] = [];
    const onLost = (range: Range): void => void told.push(range);
    const { disks } = findPoint(session.vault, 'a').manifest;
    await using disk = new PointDisk(disks[0]!, await openBlocks(session), { onLost });
    const starts = [0, 4 * BLOCK + 100, 16 * BLOCK, 20 * BLOCK + 1, LEAF - BLOCK, LEAF + 7 * BLOCK, 2 * LEAF - 1];
    for (const [offset, length] of starts.flatMap((at) =>
      [1, 5 * BLOCK, LEAF + 777, SIZE - at].map((by) => [at, by]),
    )) {
      const [from, end] = [offset!, Math.min(SIZE, offset! + length!)];
      const expected = clip(lost, from, end);
      const bytes = new Uint8Array(end - from).fill(0xff);
      await disk.read(from, bytes);
      expect(joined(told.splice(0))).toEqual(expected);
      const content = Uint8Array.from(scene.source);
      for (const range of lost) content.fill(0, range.offset, range.offset + range.length);
      expect(Buffer.compare(bytes, content.subarray(from, end))).toBe(0);
      const extents = await Array.fromAsync(disk.extents(from, end - from));
      expect(bytesOf(extents)).toBe(end - from);
      expect(joined(told.splice(0))).toEqual(clip([leaf!], from, end));
    }
  });

  const joined = (ranges: Range[]): Range[] => joinLost([{ ...nothingLost(), ranges }]).ranges;

  function clip(ranges: readonly Range[], from: number, end: number): Range[] {
    return ranges.flatMap((range) => {
      const offset = Math.max(from, range.offset);
      const length = Math.min(end, range.offset + range.length) - offset;
      return length > 0 ? [{ offset, length }] : [];
    });
  }
});
