import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { link as hardLink, mkdir, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import {
  encodeBat,
  encodeDynamicHeader,
  encodeFooter,
  encodeLocatorPath,
  parseDynamicHeader,
  UNALLOCATED,
} from '../../src/image/vhd-parser.ts';
import { MALFORMED } from '../support/malformed-images.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { describeWhere } from '../support/tool.ts';
import { footerOf, idOf } from '../support/vhd-chain.ts';
import { dynamicImage } from '../support/vhd-damage.ts';
import { writeBase, writeChild } from './child-image.ts';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** What any image may take above an idle process; its block table comes on top. */
const MOST = 64 * MIB;
const MOST_SECONDS = 60;
const PROGRAM = join(import.meta.dirname, '../fuzz/peak-memory.ts');

const temp = tempFolder({ inMemory: true });

/** An image that is hard to open, the code that it must be refused by, and the bytes of its block table. */
type Hard = readonly [name: string, code: string, table: number, make: (path: string) => Promise<void>];

const HARD: readonly Hard[] = [
  ['eight locators of 128 KiB', 'VHD_PARENT_MISSING', 0, (path) => writeLongLocators(path)],
  ['a table of 4 million entries', 'none', 4 * 4_177_920, (path) => writeLargeTable(path, () => UNALLOCATED)],
  ['4 million blocks, backwards', 'none', 4 * 4_177_920, (path) => writeLargeTable(path, backwards)],
  ['4 billion entries that are there', 'VHD_TOO_LARGE', 0, (path) => writeManyEntries(path)],
  ['every second sector of 1 GiB', 'none', 0, (path) => writeComb(path, 1)],
  ['every second sector of eight ancestors', 'none', 0, (path) => writeComb(path, 8)],
  ['1000 ancestors', 'none', 0, (path) => writeDeepChain(path, 1000)],
  ['1100 ancestors', 'VHD_CHAIN', 0, (path) => writeDeepChain(path, 1100)],
  ['itself as its parent', 'VHD_CHAIN', 0, (path) => writeCycle(path, 1)],
  ['a circle of 50 ancestors', 'VHD_CHAIN', 0, (path) => writeCycle(path, 50)],
];

describeWhere(existsSync('/proc/self/clear_refs'), '/proc/PID/clear_refs is not there', 'memory', () => {
  it('of a process that opens any malformed image stays within 64 MiB of an idle one, its table aside', async () => {
    const healthy = join(temp.path, 'healthy.vhd');
    await writeFile(healthy, dynamicImage());
    const paths = [healthy];
    for (const [i, [, , , image]] of MALFORMED.entries()) {
      paths.push(join(temp.path, `malformed-${i}.vhd`));
      await writeFile(paths.at(-1)!, image());
    }
    const runs = await measured(paths, '--check');
    expect(runs.map(({ code }) => code)).toEqual(['none', ...MALFORMED.map(([, code]) => code)]);
    expect(runs.filter(({ taken, seconds }) => taken > MOST || seconds > MOST_SECONDS)).toEqual([]);
    // What is measured is memory.
    expect(Math.max(...runs.map(({ taken }) => taken))).toBeGreaterThan(0);
  });

  it.each(HARD)('of a process that opens %s does too', async (name, code, table, make) => {
    const folder = join(temp.path, name);
    await mkdir(folder);
    const healthy = join(temp.path, 'healthy.vhd');
    await writeFile(healthy, dynamicImage());
    const path = join(folder, 'image.vhd');
    await make(path);
    // To check 4 million blocks is to read 4 million bitmaps.
    const run = (await measured([healthy, path], ...(code === 'none' && table > 0 ? [] : ['--check'])))[1]!;
    // Figures to read, even where all is well.
    process.stdout.write(`${name}: ${Math.round(run.taken / MIB)} MiB, ${run.seconds.toFixed(2)} s\n`);
    expect(run.code).toBe(code);
    expect(run.taken).toBeLessThan(MOST + table);
    expect(run.seconds).toBeLessThan(MOST_SECONDS);
    await rm(folder, { recursive: true });
  });
});

interface Run {
  path: string;
  code: string;
  /** Bytes above idle, and seconds. */
  taken: number;
  seconds: number;
}

async function measured(paths: readonly string[], ...words: string[]): Promise<Run[]> {
  const child = spawn(process.execPath, [PROGRAM, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(paths.join('\n'));
  const lines = await text(child.stdout);
  return lines
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Run);
}

async function writeLongLocators(path: string): Promise<void> {
  const long = `${'x'.repeat(5000)}\\`.repeat(13);
  await writeChild(path, {});
  const footer = encodeFooter(footerOf({ kind: 'differencing', size: 102400 }, idOf(1)));
  const codes = ['W2ru', 'W2ku', 'W2ru', 'W2ku', 'W2ru', 'MacX', 'Wi2r', 'Wi2k'];
  const texts = codes.map((code, slot) => ({
    code,
    data: encodeLocatorPath(code, `${slot}${long}`).subarray(0, 131072),
  }));
  const header = encodeDynamicHeader({
    tableOffset: 1536,
    maxTableEntries: 13,
    blockSize: 8192,
    parentUniqueId: idOf(0),
    parentTimestamp: 0,
    parentName: '\\a'.repeat(128),
    locators: texts.map(({ code, data }, slot) => ({
      slot,
      code,
      dataSpace: 131072,
      dataLength: data.byteLength,
      dataOffset: 2048 + slot * 131072,
    })),
  });
  const spaces = texts.map(({ data }) => Buffer.concat([data], 131072));
  const bat = encodeBat(new Uint32Array(13).fill(UNALLOCATED));
  await writeFile(path, Buffer.concat([footer, header, bat, ...spaces, footer]));
}

/** 2040 GiB in blocks of 512 KiB, as sparse as their entries let them be. */
async function writeLargeTable(path: string, entryOf: (block: number, first: number) => number): Promise<void> {
  const entries = 4_177_920;
  const first = (1536 + entries * 4) / 512;
  const bat = new Uint32Array(entries);
  for (let i = 0; i < entries; i++) bat[i] = entryOf(i, first);
  const stored = bat[0] === UNALLOCATED ? 0 : entries;
  await writeSparse(path, { size: 2040 * GIB, blockSize: 512 * 1024, bat, end: (first + stored * STRIDE) * 512 });
}

/** Sectors of a block of 512 KiB with its bitmap. */
const STRIDE = 1025;

function backwards(block: number, first: number): number {
  return first + (4_177_920 - 1 - block) * STRIDE;
}

async function writeManyEntries(path: string): Promise<void> {
  const bat = new Uint32Array(0);
  await writeSparse(path, { size: 16 * 1024 * GIB - 4096, blockSize: 4096, bat, entries: 0xffffffff, end: 17 * GIB });
}

async function writeSparse(
  path: string,
  image: { size: number; blockSize: number; bat: Uint32Array; entries?: number; end: number },
): Promise<void> {
  const footer = encodeFooter(footerOf({ kind: 'dynamic', size: image.size }, idOf(1)));
  const header = encodeDynamicHeader({
    tableOffset: 1536,
    maxTableEntries: image.entries ?? image.bat.length,
    blockSize: image.blockSize,
    parentUniqueId: new Uint8Array(16),
    parentTimestamp: 0,
    parentName: '',
    locators: [],
  });
  await using file = await open(path, 'wx');
  await file.truncate(image.end + 512);
  await file.write(Buffer.concat([footer, header, encodeBat(image.bat)]), { position: 0 });
  await file.write(footer, { position: image.end });
}

/** Images over each other, of which each has every other sector of what it covers: its own, then the parent's, and so on. */
async function writeComb(path: string, depth: number): Promise<void> {
  const name = (n: number): string => join(path, `../${n}.vhd`);
  const [blockSize, entries, first] = [2 * MIB, 512, 8];
  await writeBase(name(0), 1);
  for (let n = 1; n <= depth; n++) {
    await writeChild(name(n), { name: `${n - 1}.vhd` }, { id: n, parent: n - 1 });
    await using file = await open(name(n), 'r+');
    const header = Buffer.alloc(1024);
    await file.read(header, 0, 1024, 512);
    const bat = Uint32Array.from({ length: entries }, (_, i) => first + i * 4097);
    const footer = encodeFooter(footerOf({ kind: 'differencing', size: GIB }, idOf(n)));
    const changed = encodeDynamicHeader({ ...parseDynamicHeader(header), blockSize, maxTableEntries: entries });
    const end = (first + entries * 4097) * 512;
    await file.truncate(end);
    await file.write(Buffer.concat([footer, changed, encodeBat(bat)]), 0, null, 0);
    const bits = Buffer.alloc(512, n === depth ? 0xaa : 0xcc);
    for (const entry of bat) await file.write(bits, 0, 512, entry * 512);
    await file.write(footer, 0, 512, end);
  }
  await hardLink(name(depth), path);
}

/** Empty images over each other, and a fixed disk below them; `path` is the last. */
async function writeDeepChain(path: string, depth: number): Promise<void> {
  const name = (n: number): string => join(path, `../${n}.vhd`);
  await writeBase(name(0), 1);
  for (let n = 1; n <= depth; n++) {
    await writeChild(name(n), { locators: [['W2ru', `.\\${n - 1}.vhd`]] }, { id: n, parent: n - 1 });
  }
  await hardLink(name(depth), path);
}

async function writeCycle(path: string, length: number): Promise<void> {
  const name = (n: number): string => join(path, `../${n % length}.vhd`);
  for (let n = 0; n < length; n++) {
    const parent = (n + 1) % length;
    await writeChild(name(n), { locators: [['W2ru', `.\\${parent}.vhd`]] }, { id: n, parent });
  }
  await hardLink(name(0), path);
}
