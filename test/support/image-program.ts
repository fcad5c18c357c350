import fc from 'fast-check';
import { noise } from '../../fixtures/noise.ts';
import {
  type ConvertOptions,
  encodeDynamicHeader,
  encodeFooter,
  type LocatorCode,
} from '../../src/image/vhd-parser.ts';
import { footerOf } from './vhd-chain.ts';

export const SECTOR = 512;
const KIB = 1024;
const MIB = 1024 * KIB;

/** What is written: guest is what only an image should hold, footers and headers, as a guest may write them anywhere. */
export type Content = 'noise' | 'zeros' | 'guest';

/** Sectors of one write. Numbers are taken modulo what there is. */
export interface Write {
  place: 'first' | 'last' | 'any' | 'block';
  sector: number;
  /** Sectors; of `block`: blocks. */
  count: number;
  content: Content;
  seed: number;
}

/** What is done to the images of a chain, as data. `image` is taken modulo the number of images that it can be done to. */
export type Step =
  | { do: 'write'; image: number; writes: readonly Write[] }
  | { do: 'sync' | 'reopen' | 'check' | 'repair'; image: number }
  | { do: 'read'; image: number; from: number; to: number }
  | { do: 'snapshot'; image: number; link: Link }
  | { do: 'grow'; image: number; by: number }
  | { do: 'shrink'; image: number; to: 'empty' | 'any'; sectors: number }
  | { do: 'merge'; image: number; into: 'parent' | 'base' }
  | { do: 'convert'; image: number; format: ConvertOptions['format'] };

/** A new child. */
export interface Link {
  /** Sectors; null: the parent's. */
  sectors: number | null;
  blockSize: number;
  elsewhere: boolean;
  locators: readonly LocatorCode[];
  windows: boolean;
}

export interface Program {
  /** foreign: a dynamic one as others may write it, blocks in any order, with garbage wherever nobody looks. */
  base: { kind: 'raw' | 'fixed' | 'dynamic' | 'foreign'; sectors: number; blockSize: number; seed: number };
  steps: readonly Step[];
}

export function imagePrograms(): fc.Arbitrary<Program> {
  return fc.record({
    base: fc.record({
      kind: fc.constantFrom('raw', 'fixed', 'dynamic', 'dynamic', 'foreign'),
      sectors: sizes(),
      blockSize: blockSizes(),
      seed: fc.nat({ max: 200 }),
    }),
    steps: fc.array(stepOf(), { minLength: 1, maxLength: 12 }),
  });
}

/** Around the ends of blocks and of the table's sectors; mostly small, since programs are many. */
function sizes(): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(1, 2, 7, 8, 9, 16, 127, 128, 129, 1023, 1024, 1025) },
    { weight: 10, arbitrary: fc.integer({ min: 1, max: 400 }) },
    { weight: 1, arbitrary: fc.integer({ min: 400, max: 6000 }) },
    { weight: 1, arbitrary: fc.constantFrom(4096, 4097, 8192, 8200) },
  );
}

function blockSizes(): fc.Arbitrary<number> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(4 * KIB, 8 * KIB, 16 * KIB, 64 * KIB) },
    { weight: 1, arbitrary: fc.constantFrom(512 * KIB, 2 * MIB, 4 * MIB) },
  );
}

function stepOf(): fc.Arbitrary<Step> {
  const image = fc.nat({ max: 20 });
  const weighted = <T>(weight: number, arbitrary: fc.Arbitrary<T>): { weight: number; arbitrary: fc.Arbitrary<T> } => ({
    weight,
    arbitrary,
  });
  const plain = fc.constantFrom('sync', 'reopen', 'check', 'repair');
  return fc.oneof(
    weighted(
      10,
      fc.record({ do: fc.constant('write'), image, writes: fc.array(writeOf(), { minLength: 1, maxLength: 4 }) }),
    ),
    weighted(3, fc.record({ do: plain, image })),
    weighted(2, fc.record({ do: fc.constant('read'), image, from: fc.nat(), to: fc.nat() })),
    weighted(6, fc.record({ do: fc.constant('snapshot'), image, link: linkOf() })),
    weighted(3, fc.record({ do: fc.constant('grow'), image, by: fc.oneof(sizes(), fc.constantFrom(1, 8)) })),
    weighted(
      3,
      fc.record({ do: fc.constant('shrink'), image, to: fc.constantFrom('empty', 'empty', 'any'), sectors: sizes() }),
    ),
    weighted(4, fc.record({ do: fc.constant('merge'), image, into: fc.constantFrom('parent', 'parent', 'base') })),
    weighted(1, fc.record({ do: fc.constant('convert'), image, format: fc.constantFrom('fixed', 'dynamic', 'raw') })),
  ) as fc.Arbitrary<Step>;
}

function writeOf(): fc.Arbitrary<Write> {
  return fc.record({
    place: fc.constantFrom('first', 'last', 'any', 'any', 'any', 'block'),
    sector: fc.nat({ max: 10000 }),
    count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 600 })),
    content: fc.constantFrom('noise', 'noise', 'noise', 'zeros', 'guest'),
    seed: fc.integer({ min: 1, max: 9 }),
  });
}

function linkOf(): fc.Arbitrary<Link> {
  return fc.record({
    sectors: fc.option(sizes(), { freq: 2 }),
    blockSize: blockSizes(),
    elsewhere: fc.boolean(),
    locators: fc.subarray<LocatorCode>(['W2ru', 'W2ku', 'MacX'], { minLength: 1 }),
    windows: fc.boolean(),
  });
}

/** The range of a write in a disk of so many bytes. */
export function rangeOf(write: Write, size: number, blockSize: number): { offset: number; length: number } {
  const sectors = size / SECTOR;
  const inBlock = blockSize / SECTOR;
  const wanted = write.place === 'block' ? Math.min((1 + (write.count % 2)) * inBlock, sectors) : write.count;
  const at = {
    first: 0,
    last: Math.max(0, sectors - wanted),
    any: write.sector % sectors,
    block: (write.sector % Math.ceil(sectors / inBlock)) * inBlock,
  }[write.place];
  return { offset: at * SECTOR, length: Math.min(wanted, sectors - at) * SECTOR };
}

const POOL = noise(11, 4 * MIB + 16 * SECTOR);

export function contentOf({ content, seed }: Write, length: number): Uint8Array {
  switch (content) {
    case 'noise':
      return POOL.subarray(seed * SECTOR, seed * SECTOR + length);
    case 'zeros':
      return new Uint8Array(length);
    case 'guest':
      return guestBytes(length, seed);
    default:
      return content satisfies never;
  }
}

/** A footer, a header, a footer, ... of other disks: whoever looks for them in the data finds them. */
function guestBytes(length: number, seed: number): Uint8Array {
  const kind = (['fixed', 'dynamic', 'differencing'] as const)[seed % 3]!;
  const footer = encodeFooter(footerOf({ kind, size: seed * SECTOR }, new Uint8Array(16).fill(seed)));
  const header = encodeDynamicHeader({
    tableOffset: 1536,
    maxTableEntries: seed,
    blockSize: 4096,
    parentUniqueId: new Uint8Array(16),
    parentTimestamp: 0,
    parentName: 'guest.vhd',
    locators: [],
  });
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += SECTOR)
    bytes.set((at / SECTOR) % 4 === 1 ? header.subarray(0, SECTOR) : footer, at);
  return bytes;
}
