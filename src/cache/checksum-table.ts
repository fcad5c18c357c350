import { type FileHandle, mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ioError } from '../base/errors.ts';
import { LEVELS, type MapShape, PAGE_BYTES } from '../disk/block-map.ts';
import { writeFully } from '../io/write-fully.ts';

/*
 * Checksum table (FORMAT.md): a local copy of the block-map pages of a disk's latest point.
 * the pages of level 3, level 2, level 1, level 0, 8,192 bytes each; absent pages are holes.
 * A page is used only after its id was recomputed and found in the page above it, down from the root that the log tells: so
 * the table needs no header, no journal and no fsync, and damage and age cost time and nothing else.
 */

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
    const read = await this.#handle.read(target, 0, PAGE_BYTES, this.#position(level, n)).catch(() => undefined);
    return read?.bytesRead === PAGE_BYTES;
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
  let next = 0;
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

/** Merge-back: a finished table becomes the table of its disk's latest point. */
export async function adoptTable(from: string, to: string): Promise<void> {
  await rename(from, to);
}
