import { closeSync, ftruncateSync, linkSync, mkdirSync, openSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';

/** A file, large ones with a hole: `head` at its beginning, `tail` at its end. */
export interface FuzzFile {
  head: Buffer;
  size: number;
  tail: Buffer;
}

/** What is examined: an image, and the files around it. Names are relative to the folder that it is written to. */
export interface FuzzInput {
  files: Map<string, FuzzFile>;
  /** Names that lead to others: symbolic and hard links. */
  links: { name: string; target: string; hard: boolean }[];
  /** The name of the one that is opened. */
  image: string;
  parentRoots: string[];
  format: 'vhd' | undefined;
  /** What was done to it, in words. */
  story: string[];
}

/** A file of these bytes, which are not copied. */
export function plainFile(bytes: Buffer): FuzzFile {
  return { head: bytes, size: bytes.byteLength, tail: Buffer.alloc(0) };
}

/** Writes the files of an input into an empty folder. */
export function writeInput(folder: string, input: FuzzInput): void {
  for (const [name, file] of input.files) {
    const path = join(folder, name);
    if (name.includes('/')) mkdirSync(dirname(path), { recursive: true });
    writeFuzzFile(path, file);
  }
  for (const { name, target, hard } of input.links) {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    if (hard) linkSync(join(folder, target), path);
    else symlinkSync(target, path);
  }
}

function writeFuzzFile(path: string, { head, size, tail }: FuzzFile): void {
  const file = openSync(path, 'w');
  try {
    const start = head.subarray(0, size);
    writeSync(file, start, 0, start.length, 0);
    if (size > head.length) ftruncateSync(file, size);
    const end = tail.subarray(Math.max(0, tail.length - size));
    if (end.length > 0) writeSync(file, end, 0, end.length, size - end.length);
  } finally {
    closeSync(file);
  }
}

/** An input as bytes to keep. */
export function packInput(input: FuzzInput, why: readonly string[]): Buffer {
  const files = [...input.files].map(([name, { head, size, tail }]) => ({
    name,
    size,
    head: head.toString('base64'),
    tail: tail.toString('base64'),
  }));
  const { links, image, parentRoots, format = null, story } = input;
  return gzipSync(JSON.stringify({ why, story, image, parentRoots, format, links, files }, null, 1));
}

export function unpackInput(bytes: Buffer): FuzzInput {
  const { files, format, ...rest } = JSON.parse(gunzipSync(bytes).toString());
  const unpacked = files.map(({ name, size, head, tail }: Record<string, string>) => [
    name,
    { size: Number(size), head: Buffer.from(head!, 'base64'), tail: Buffer.from(tail!, 'base64') },
  ]);
  return { ...rest, format: format ?? undefined, files: new Map(unpacked) };
}
