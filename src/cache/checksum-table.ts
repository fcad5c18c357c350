import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError } from '../base/errors.ts';
import { LEVELS, type MapShape, PAGE_BYTES } from '../disk/block-map.ts';
import { writeFully } from '../io/write-fully.ts';

/*
 * Checksum table (FORMAT.md): a local copy of the block-map pages of a disk's latest point.
 *   0  4096  header: a JSON line {vault, point, size, blockSize, root}, padded with zeros
 *   then the pages of level 3, level 2, level 1, level 0; absent pages are holes
 * A page is used only after its id was recomputed, so damage and age cost time and nothing else.
 */
const HEADER_BYTES = 4096;

export interface TableFacts {
  vault: string;
  point: string;
  size: number;
  blockSize: number;
  root: string;
}

/** An open table file; any number of threads may have it open and write different pages. */
export class ChecksumTable implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #starts: readonly number[];

  /** Use `createTable` or `openTable`. */
  constructor(path: string, handle: FileHandle, shape: MapShape) {
    this.path = path;
    this.#handle = handle;
    this.#starts = startsOf(shape);
  }

  /** False where the table holds no whole page there. */
  async readPage(level: number, n: number, target: Uint8Array): Promise<boolean> {
    const { bytesRead } = await this.#handle.read(target, 0, PAGE_BYTES, this.#position(level, n));
    return bytesRead === PAGE_BYTES;
  }

  async writePage(level: number, n: number, page: Uint8Array): Promise<void> {
    await writeFully(this.#handle, this.path, this.#position(level, n), page.subarray(0, PAGE_BYTES));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
  }

  #position(level: number, n: number): number {
    return (this.#starts[level] as number) + n * PAGE_BYTES;
  }
}

function startsOf(shape: MapShape): number[] {
  const starts: number[] = [];
  let next = HEADER_BYTES;
  for (let level = LEVELS - 1; level >= 0; level--) {
    starts[level] = next;
    next += (shape.pages[level] as number) * PAGE_BYTES;
  }
  return starts;
}

/** A new, empty table. */
export async function createTable(path: string, shape: MapShape): Promise<ChecksumTable> {
  try {
    await mkdir(dirname(path), { recursive: true });
    return new ChecksumTable(path, await open(path, 'w+'), shape);
  } catch (error) {
    throw ioError(error, 'creating the checksum table', path);
  }
}

/** Opens for reading and writing; undefined where there is no such file. */
export async function openTable(path: string, shape: MapShape): Promise<ChecksumTable | undefined> {
  const handle = await open(path, 'r+').catch(() => undefined);
  return handle && new ChecksumTable(path, handle, shape);
}

/** What the table says it is, or undefined when it says nothing readable. */
export async function readTableFacts(path: string): Promise<TableFacts | undefined> {
  try {
    await using handle = await open(path, 'r');
    const header = Buffer.alloc(HEADER_BYTES);
    await handle.read(header, 0, HEADER_BYTES, 0);
    const facts = JSON.parse(header.toString('utf8', 0, header.indexOf(0))) as TableFacts;
    return typeof facts.point === 'string' ? facts : undefined;
  } catch {
    return undefined;
  }
}

/** Merge-back: a finished table becomes the table of its disk's latest point. */
export async function adoptTable(from: string, to: string, facts: TableFacts): Promise<void> {
  {
    await using handle = await open(from, 'r+');
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(JSON.stringify(facts));
    await handle.write(header, 0, HEADER_BYTES, 0);
  }
  await rename(from, to);
}

export async function removeTable(path: string): Promise<void> {
  await rm(path, { force: true });
}
