import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { noise } from '../../fixtures/noise.ts';
import { convertImage, createImage, mergeImage, openDisk, resizeImage } from '../../src/image/vhd-parser.ts';
import { hasLibvhdi, type LibvhdiJob, readByLibvhdi } from '../support/libvhdi.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeIf, describeWithTool, runTool } from '../support/tool.ts';

const folder = tempFolder({ inMemory: true });
const SECTOR = 512;
/** libvhdi reads the bitmaps of differencing images by whole bytes: 8 sectors. */
const UNIT = 8 * SECTOR;
const CHAINS = 60;

/** Numbers of units; places are taken modulo the size. */
interface Link {
  units: number;
  writes: { at: number; count: number; seed: number }[];
}

interface Chain {
  base: 'fixed' | 'dynamic';
  links: Link[];
  /** The tip gets this size. */
  resize: number | null;
  merge: 'none' | 'tip' | 'middle' | 'base';
}

const units = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.integer({ min: 400, max: 1600 }),
  fc.constantFrom(511, 512, 513, 1024),
);
const link: fc.Arbitrary<Link> = fc.record({
  units,
  writes: fc.array(
    fc.record({
      at: fc.nat({ max: 2000 }),
      count: fc.integer({ min: 1, max: 40 }),
      seed: fc.integer({ min: 1, max: 99 }),
    }),
    { maxLength: 4 },
  ),
});
const chains: fc.Arbitrary<Chain> = fc.record({
  base: fc.constantFrom('fixed', 'dynamic'),
  links: fc.array(link, { minLength: 1, maxLength: 4 }),
  resize: fc.option(units),
  merge: fc.constantFrom('none', 'none', 'tip', 'middle', 'base'),
});

/** Builds a chain and tells the images of it that are left, the tip first. No child larger than its parent: libvhdi reads none. */
async function build({ base, links, resize, merge }: Chain): Promise<string[]> {
  const own = folder.fresh('chain');
  await mkdir(own);
  let paths: string[] = [];
  let most = Number.POSITIVE_INFINITY;
  let size = 0;
  for (const [i, { units: wanted, writes }] of links.entries()) {
    most = size === 0 ? most : size;
    size = Math.min(wanted, most);
    const path = join(own, `link${i}.vhd`);
    const kind = i === 0 ? { type: base } : { type: 'differencing' as const, parent: paths[0]! };
    await using disk = await createImage(path, { ...kind, size: size * UNIT });
    for (const { at, count, seed } of writes) {
      const offset = (at % size) * UNIT;
      const length = Math.min(count * UNIT, disk.size - offset);
      await disk.write(offset, noise(seed, length));
    }
    paths = [path, ...paths];
  }
  // Refused where it is not empty.
  if (resize !== null) await resizeImage(paths[0]!, Math.min(resize, most) * UNIT).catch(() => undefined);
  if (merge === 'none' || paths.length === 1) return paths;
  const from = merge === 'middle' && paths.length > 2 ? 1 : 0;
  await mergeImage(paths[from]!, { into: merge === 'base' ? 'base' : 'parent' });
  return merge === 'base' ? paths.slice(-1) : paths.filter((_, i) => i !== from);
}

async function contentOf(path: string): Promise<Buffer> {
  await using disk = await openDisk(path);
  const bytes = Buffer.alloc(disk.size);
  await disk.read(0, bytes);
  return bytes;
}

const program = fc.sample(chains, { numRuns: CHAINS, seed: 20261122 });

describeIf(hasLibvhdi(), 'python3-libvhdi is not installed', 'libvhdi', () => {
  it('reads the chains that we write, resize and merge as we do', async () => {
    const jobs: LibvhdiJob[] = [];
    const contents: Buffer[] = [];
    for (const chain of program) {
      const paths = await build(chain);
      const content = await contentOf(paths[0]!);
      contents.push(content);
      jobs.push({ chain: paths, reads: [[0, content.byteLength]] });
    }
    for (const [i, { size, reads }] of readByLibvhdi(jobs).entries()) {
      expect(size).toBe(contents[i]!.byteLength);
      expect(reads[0]!.equals(contents[i]!), `chain ${i}: ${JSON.stringify(program[i])}`).toBe(true);
    }
  });
});

describeWithTool('qemu-img', 'qemu-img', () => {
  it('reads what is left of chains that were merged into their base, and every conversion of a chain, as we do', async () => {
    for (const chain of program.slice(0, 20)) {
      const paths = await build({ ...chain, merge: 'base' });
      const raw = `${folder.fresh('flat')}.raw`;
      await convertImage(paths[0]!, raw, { format: 'raw' });
      expect((await readFile(raw)).equals(await contentOf(paths[0]!))).toBe(true);
      const path = `${folder.fresh('again')}.vhd`;
      const tip = (await build({ ...chain, merge: 'none' }))[0]!;
      await convertImage(tip, path, { format: 'dynamic' });
      for (const vhd of [paths[0]!, path]) runTool('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', raw, vhd);
    }
  });
});
