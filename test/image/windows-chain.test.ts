import { createHash } from 'node:crypto';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type WindowsChain, type WindowsDisk, writeWindowsChain } from '../../fixtures/windows-chain.ts';
import {
  geometryBytes,
  hasSector,
  imageFacts,
  openDisk,
  parseBat,
  parseDynamicHeader,
  parseFooter,
} from '../../src/image/vhd-parser.ts';
import type { NamedDisk } from '../../src/jobs/types.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openBench } from '../support/vault-bench.ts';

const temp = tempFolder({ inMemory: true });
const SECTOR = 512;
const SECTORS = 8192;
let chain: WindowsChain;
beforeAll(async () => {
  chain = await writeWindowsChain(join(temp.path, 'chain'));
});

/** Whether each sector of a child's disk is its own, from the two bitmaps in its file. */
async function ownSectors({ path }: WindowsDisk): Promise<{ own: boolean[]; file: Buffer; bat: Uint32Array }> {
  const file = await readFile(path);
  const bat = parseBat(Uint8Array.from(file.subarray(8192, 8200)));
  const bitmaps = Array.from(bat, (sector) => file.subarray(sector * SECTOR, (sector + 1) * SECTOR));
  const own = Array.from({ length: SECTORS }, (_, n) => hasSector(bitmaps[n >> 12]!, n & 4095));
  return { own, file, bat };
}

describe('the chain that is made like one of Windows 10', () => {
  it('has a fixed base and two children that name their parents by whole Windows paths', async () => {
    const { facts } = await imageFacts(chain.checkpoint.path);
    const formats = [facts, facts.parent!, facts.parent!.parent!].map(({ format, parentName }) => [format, parentName]);
    expect(formats).toEqual([
      ['vhd-differencing', 'D:\\Virtual Machines\\web01\\web01-differencing.vhd'],
      ['vhd-differencing', 'D:\\Virtual Machines\\web01\\web01.vhd'],
      ['vhd-fixed', null],
    ]);
    expect([chain.checkpoint.path, chain.child.path].map((path) => /\.\w+$/.exec(path)![0])).toEqual(['.avhd', '.vhd']);
  });

  it('has the table between the locators, whose spaces are in bytes and whose texts have no NUL', async () => {
    for (const [{ path }, parent] of [
      [chain.child, chain.parent],
      [chain.checkpoint, chain.child],
    ] as const) {
      const file = await readFile(path);
      const header = parseDynamicHeader(file.subarray(512, 1536));
      const [name, whole] = [basename(parent.path), `D:\\Virtual Machines\\web01\\${basename(parent.path)}`];
      expect(header).toMatchObject({ parentTimestamp: 0, tableOffset: 8192, maxTableEntries: 2, blockSize: 2097152 });
      expect(header.locators).toEqual([
        { slot: 0, code: 'W2ku', dataSpace: 4096, dataLength: whole.length * 2, dataOffset: 4096 },
        { slot: 1, code: 'W2ru', dataSpace: 65536, dataLength: name.length * 2 + 4, dataOffset: 12288 },
      ]);
      expect(file.toString('utf16le', 4096, 4096 + whole.length * 2)).toBe(whole);
      expect(file.toString('utf16le', 12288, 12288 + name.length * 2 + 4)).toBe(`.\\${name}`);
    }
  });

  it('has its blocks on pages, bitmaps before them, seven empty sectors and a footer after them', async () => {
    const { own, file, bat } = await ownSectors(chain.child);
    expect([...bat].map((sector) => (sector + 1) % 8)).toEqual([0, 0]);
    expect(bat[0]! * SECTOR).toBeGreaterThanOrEqual(12288 + 65536);
    const end = (bat[1]! + 1 + 4096) * SECTOR;
    expect(file.length - end).toBe(8 * SECTOR);
    expect(file.subarray(end, -SECTOR).every((byte) => byte === 0)).toBe(true);
    const footer = parseFooter(file.subarray(-SECTOR));
    expect(file.subarray(0, SECTOR)).toEqual(file.subarray(-SECTOR));
    expect([footer.creatorApplication, geometryBytes(footer.geometry), footer.currentSize]).toEqual([
      'win ',
      4177920,
      4194304,
    ]);
    expect(own.filter((bit) => bit)).toHaveLength(208);
    expect(own[0]).toBe(true);
  });

  it('punishes readers that take whole blocks, or that take zeros for nothing', async () => {
    const { own, file, bat } = await ownSectors(chain.child);
    let wrong = 0;
    let zeros = 0;
    for (let n = 0; n < SECTORS; n++) {
      const at = (bat[n >> 12]! + 1 + (n & 4095)) * SECTOR;
      const [stored, content, base] = [
        file.subarray(at, at + SECTOR),
        ...[chain.child, chain.parent].map((disk) => disk.content.subarray(n * SECTOR, (n + 1) * SECTOR)),
      ] as [Buffer, Buffer, Buffer];
      if (own[n]) expect(stored.equals(content)).toBe(true);
      else expect(base.equals(content)).toBe(true);
      if (!stored.equals(content)) wrong++;
      if (own[n] && !content.some((byte) => byte !== 0) && base.some((byte) => byte !== 0)) zeros++;
    }
    expect(wrong).toBeGreaterThan(4000);
    expect(zeros).toBeGreaterThan(1);
  });

  it('is the same in every run', async () => {
    const again = await writeWindowsChain(join(temp.path, 'again'));
    for (const name of ['parent', 'child', 'checkpoint'] as const) {
      expect(await hashOf(again[name].path), name).toBe(await hashOf(chain[name].path));
      expect(again[name].content.equals(chain[name].content), name).toBe(true);
    }
  });

  it('reads sector for sector as it should, in any pieces', async () => {
    for (const { path, content } of [chain.child, chain.checkpoint]) {
      await using disk = await openDisk(path);
      expect(disk.size).toBe(content.length);
      const bytes = Buffer.alloc(disk.size);
      for (let at = 0; at < disk.size; at += 70_001) {
        await disk.read(at, bytes.subarray(at, Math.min(at + 70_001, disk.size)));
      }
      expect(bytes.equals(content)).toBe(true);
      const { own } = await ownSectors({ path, content });
      for await (const { offset, length, kind } of disk.extents()) {
        const told = own.slice(offset / SECTOR, (offset + length) / SECTOR);
        expect(told.every((bit) => bit === (kind === 'data'))).toBe(true);
      }
    }
  });
});

describe('a vault', () => {
  it('gives back what the machine saw, before and after a second checkpoint, with the base in another folder', async () => {
    const moved = await writeWindowsChain(join(temp.path, 'moved'));
    const store = join(temp.path, 'store');
    await mkdir(store);
    await rename(moved.parent.path, join(store, basename(moved.parent.path)));
    const bench = await openBench(join(temp.path, 'bench'), { where: 'memory' });
    const disk = ({ path }: WindowsDisk): NamedDisk => ({
      name: 'os',
      address: { kind: 'file', path, parentRoots: [store] },
    });
    const first = await bench.backup('web01', [disk(moved.child)]);
    const second = await bench.backup('web01', [disk(moved.checkpoint)]);
    expect([first.type, second.type]).toEqual(['full', 'incremental']);
    expect(second.bytes.changed).toBeLessThan(first.bytes.changed / 10);
    expect(moved.child.content.equals(await bench.restored(`web01@${first.point}`))).toBe(true);
    expect(moved.checkpoint.content.equals(await bench.restored(`web01@${second.point}`))).toBe(true);
  });
});

async function hashOf(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
}
