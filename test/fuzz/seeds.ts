import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWindowsChain } from '../../fixtures/windows-chain.ts';
import {
  batmapChecksum,
  createPlannedImage,
  encodeBatmapHeader,
  openImageWriter,
  type PlanOptions,
  planImage,
} from '../../src/image/vhd-parser.ts';
import { buildChain, encodeLink, idOf, type Link, sectorOf } from '../support/vhd-chain.ts';
import { TABLE, withFooter } from '../support/vhd-damage.ts';
import { link } from '../support/vhd-program.ts';
import { type Places, placesOf } from './places.ts';

/** A healthy image with its parents, from which inputs are made. */
export interface Seed {
  name: string;
  /** Contents by name. */
  files: ReadonlyMap<string, Buffer>;
  /** The name of the one that is opened. */
  image: string;
  places: Places;
}

const WRITES: Link['writes'] = [
  { sector: 0, count: 3, seed: 1 },
  { sector: 40, count: 9, seed: 2 },
  { sector: 199, count: 1, seed: 3 },
];
const OTHERS: Link['writes'] = [
  { sector: 2, count: 20, seed: 4 },
  { sector: 100, count: 1, seed: 5 },
];

/** Chains as data: every type, block sizes that differ, every way to name a parent. */
const CHAINS: Readonly<Record<string, readonly Link[]>> = {
  raw: [link('raw', { writes: WRITES })],
  fixed: [link('fixed', { writes: WRITES })],
  'small fixed': [link('fixed', { size: 512, writes: WRITES })],
  dynamic: [link('dynamic', { writes: WRITES })],
  'backwards dynamic': [link('dynamic', { size: 101888, blockSize: 4096, writes: WRITES, backwards: true, gap: 7 })],
  'one block': [link('dynamic', { blockSize: 131072, writes: OTHERS })],
  'over fixed': [link('fixed', { writes: WRITES }), link('differencing', { writes: OTHERS })],
  'over raw': [link('raw', { writes: WRITES }), link('differencing', { writes: OTHERS, locator: 'MacX' })],
  'over less': [
    link('dynamic', { size: 51200, writes: WRITES }),
    link('differencing', { writes: OTHERS, locator: 'W2ku' }),
  ],
  'chain of four': [
    link('fixed', { writes: WRITES }),
    link('differencing', { writes: OTHERS, blockSize: 4096, locator: 'name' }),
    link('differencing', { writes: WRITES, blockSize: 65536, locator: 'path-name', backwards: true }),
    link('differencing', { writes: OTHERS, size: 60928, gap: 1 }),
  ],
};

/** Writes all seeds into a folder, to read them once. Those of 4 MiB and more come last. */
export async function readSeeds(folder: string): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const [name, links] of Object.entries(CHAINS)) {
    const place = join(folder, name);
    await mkdir(place);
    const { paths } = await buildChain(place, links);
    seeds.push(seedOf(name, place, paths.at(-1)!.slice(place.length + 1)));
  }
  const dynamic = Buffer.from(encodeLink(CHAINS.dynamic![0]!, { id: idOf(0), parentId: idOf(0), parentPath: '' }));
  seeds.push(seedFrom('511 bytes', new Map([['image.vhd', dynamic.subarray(0, -1)]]), 'image.vhd'));
  seeds.push(seedFrom('tap', new Map([['image.vhd', tapImage()]]), 'image.vhd'));
  seeds.push(await written(folder, 'written fixed', { format: 'vhd-fixed', size: 102400 }));
  seeds.push(await written(folder, 'written dynamic', { format: 'vhd-dynamic', size: 300032, blockSize: 16384 }));
  return [...seeds, ...(await largeSeeds(folder))];
}

async function largeSeeds(folder: string): Promise<Seed[]> {
  const place = join(folder, 'windows');
  await writeWindowsChain(place);
  const checkpoint = readdirSync(place).find((name) => name.endsWith('.avhd'))!;
  const seeds = [
    seedOf('windows', place, checkpoint),
    await written(folder, 'written 2 MiB', { format: 'vhd-dynamic', size: 5 * 1024 * 1024 }),
  ];
  const real = process.env.VHDVAULT_TEST_IMAGES ?? '';
  for (const [path, image] of REAL) {
    if (existsSync(join(real, path, image))) seeds.push(seedOf(`real ${image}`, join(real, path), image));
  }
  return seeds;
}

/** Images of other programs, for whoever has them. */
const REAL = [
  ['dfvfs-ntfs', 'ntfs-dynamic.vhd'],
  ['dfvfs-ntfs', 'ntfs-differential.vhd'],
  ['.', 'dfvfs-ext2.vhd'],
  ['.', 'qemu-hyperv2012r2-dynamic.vhd'],
] as const;

const SIBLINGS: Readonly<Record<string, string>> = { 'ntfs-differential.vhd': 'ntfs-parent.vhd' };

/** An image of ours in a folder; images of others lie beside images that it does not need. */
function seedOf(name: string, folder: string, image: string): Seed {
  const all = name.startsWith('real') ? [image, SIBLINGS[image] ?? image] : readdirSync(folder);
  return seedFrom(name, new Map(all.map((file) => [file, readFileSync(join(folder, file))])), image);
}

function seedFrom(name: string, files: ReadonlyMap<string, Buffer>, image: string): Seed {
  return { name, files, image, places: placesOf(files.get(image)!) };
}

/** An image that the library writes. */
async function written(
  folder: string,
  name: string,
  options: Pick<PlanOptions, 'format' | 'size'> & Partial<PlanOptions>,
): Promise<Seed> {
  const place = join(folder, name);
  await mkdir(place);
  const isAllocated = (block: number): boolean => block % 2 === 0;
  const plan = planImage({ uniqueId: idOf(5), now: Date.UTC(2026, 0, 1), isAllocated, ...options });
  const path = join(place, 'image.vhd');
  await createPlannedImage(path, plan);
  {
    await using writer = await openImageWriter(path, plan);
    for (let sector = 0; sector < 20; sector++) await writer.write(sector * 512, sectorOf(sector, 6));
  }
  return seedOf(name, place, 'image.vhd');
}

/** With a batmap between its table and its first block. */
function tapImage(): Buffer {
  const links = link('dynamic', { writes: WRITES, gap: 2 });
  const image = Buffer.from(encodeLink(links, { id: idOf(1), parentId: idOf(0), parentPath: '' }));
  const map = new Uint8Array(512).fill(0xff, 0, 1);
  const [version, checksum] = [0x00010002, batmapChecksum(map, 0x00010002)];
  image.set(
    encodeBatmapHeader({ mapOffset: TABLE + 1024, mapSectors: 1, version, checksum, marker: 0, keyHash: null }),
    TABLE + 512,
  );
  image.set(map, TABLE + 1024);
  return withFooter(image, { creatorApplication: 'tap\0', creatorVersion: 0x00010003 });
}
