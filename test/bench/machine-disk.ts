import { appendFile, mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { changeExt4, ext4BlocksOf, makeExt4 } from '../../fixtures/make-disk.ts';
import { logText, noise } from '../../fixtures/noise.ts';
import { copyRealFiles } from '../../fixtures/real-files.ts';
import { makeDatabase, updateRows } from './database.ts';

const PAGE = 4096;
const FILLER = 16 * 1024 * 1024;
/** Of a change: single rows of the database, and what the log grows by. */
const ROWS = 300;
const LOG = 200_000;
const DATABASE = '/var/lib/orders.db';
const LOG_FILE = '/var/log/app.log';

/** Folders, in this order, and the share of the bytes that each may give; the rest comes from the next. */
export type Sources = readonly { from: string; to: string; share: number }[];

export interface MachineOptions {
  /** Of the disk. */
  size: number;
  /** Bytes of real files. */
  files: number;
  sources: Sources;
  /** Bytes of the database. */
  database: number;
}

/** The raw disk of a machine at work: an ext4 with real files, a database, a log, and a file that does not compress. */
export interface MachineDisk {
  raw: string;
  /** Bytes of real files, of made ones where there were too few, and of all the others. */
  bytes: { real: number; filler: number; made: number };
  /** Rows of the database change here and there, the log grows; nothing else on the disk is touched. */
  change(seed: number): Promise<void>;
}

export async function makeMachineDisk(
  folder: string,
  { size, files, sources, database }: MachineOptions,
): Promise<MachineDisk> {
  const root = join(folder, 'files');
  const real = await copyFiles(root, sources, files);
  const filler = await fillUp(join(root, 'srv'), files * 0.95 - real);
  for (const path of ['var/lib', 'var/log']) await mkdir(join(root, path), { recursive: true });
  const host = { database: join(folder, 'orders.db'), log: join(folder, 'app.log') };
  makeDatabase(host.database, database);
  await writeFile(host.log, logText(1, 10 * LOG));
  await writeFile(join(root, DATABASE), await readFile(host.database));
  await writeFile(join(root, LOG_FILE), await readFile(host.log));
  await writeFile(join(root, 'var/lib/sealed.bin'), noise(2, database >> 1));
  const raw = join(folder, 'machine.raw');
  await makeExt4(raw, size, root);
  await rm(root, { recursive: true });
  const places = await placesOf(raw, host.database);
  return {
    raw,
    bytes: { real, filler, made: database * 1.5 + 10 * LOG },
    async change(seed) {
      const before = await readFile(host.database);
      updateRows(host.database, { seed, rows: ROWS });
      await writeChangedPages(raw, places, before, await readFile(host.database));
      await appendFile(host.log, logText(seed + 1, LOG));
      await changeExt4(raw, [`rm ${LOG_FILE}`, `write ${host.log} ${LOG_FILE}`]);
    },
  };
}

async function copyFiles(root: string, sources: Sources, bytes: number): Promise<number> {
  let copied = 0;
  let allowed = 0;
  for (const { from, to, share } of sources) {
    allowed += bytes * share;
    copied += (await copyRealFiles(from, join(root, to), { bytes: allowed - copied })).bytes;
  }
  return copied;
}

/** Half of it text, half of it noise. */
async function fillUp(folder: string, bytes: number): Promise<number> {
  if (bytes <= 0) return 0;
  await mkdir(folder, { recursive: true });
  const count = Math.ceil(bytes / FILLER);
  for (let n = 0; n < count; n++) {
    await writeFile(join(folder, `filler-${n}`), n % 2 === 0 ? logText(300 + n, FILLER) : noise(300 + n, FILLER));
  }
  return count * FILLER;
}

/** Where the pages of the database lie on the disk, seen to be there. */
async function placesOf(raw: string, database: string): Promise<number[]> {
  const places = await ext4BlocksOf(raw, DATABASE);
  const content = await readFile(database);
  await using handle = await open(raw, 'r');
  const page = Buffer.alloc(PAGE);
  for (let n = 0; n * PAGE < content.length; n++) {
    await handle.read(page, 0, PAGE, places[n] as number);
    if (!page.equals(content.subarray(n * PAGE, (n + 1) * PAGE))) throw new Error(`page ${n} is not at its place`);
  }
  return places;
}

async function writeChangedPages(raw: string, places: readonly number[], before: Buffer, after: Buffer): Promise<void> {
  if (before.length !== after.length) throw new Error('the database grew');
  await using handle = await open(raw, 'r+');
  for (let at = 0; at < after.length; at += PAGE) {
    if (before.compare(after, at, at + PAGE, at, at + PAGE) === 0) continue;
    await handle.write(after, at, PAGE, places[at / PAGE] as number);
  }
}
