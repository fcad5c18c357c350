import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { deflateSync, inflateSync } from 'node:zlib';
import { type Cancellable, throwIfAborted } from '../../base/abort.ts';
import { ioError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import { MIB } from '../../base/units.ts';
import { discard, publishFile } from '../../io/atomic-file.ts';
import type { ByteSource } from '../../io/source.ts';
import { quote } from '../vhd/quote.ts';

/** A range of a file: `[start, end)`. */
export interface Range {
  start: number;
  end: number;
}

/**
 * Puts a copy back, on any machine that has Node; run in the folder of the copy, whose name follows. After that may follow
 * the image, if it is no longer where it was.
 */
const PUT_BACK = `node -e 'const fs=require("fs"),[,copy,image]=process.argv,c=JSON.parse(fs.readFileSync(copy)),f=fs.openSync(image||c.path,"r+");for(const r of c.ranges)fs.writeSync(f,require("zlib").inflateSync(Buffer.from(r.deflated,"base64")),0,r.length,r.offset);fs.ftruncateSync(f,c.fileSize);fs.fsyncSync(f)'`;

/** The name of a copy, beside the image or in the folder or file that was asked for. */
export async function copyPath(image: string, copyTo: string | undefined, now: number): Promise<string> {
  const stamp = new Date(now).toISOString().replaceAll(/[:.]/g, '-');
  const name = `${basename(image)}.metadata-${stamp}.json`;
  if (copyTo === undefined) return join(dirname(image), name);
  const isFolder = await stat(copyTo).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  return isFolder ? join(copyTo, name) : copyTo;
}

/** What an interrupted run leaves; always of the same name, so that the next one writes over it. */
export function unfinishedCopy(image: string, copy: string): string {
  return join(dirname(copy), `.${basename(image)}.metadata.part`);
}

/**
 * Saves ranges of a file as they are, durably. The copy tells the command that puts them back.
 * @throws NO_SPACE, NO_PERMISSION, TARGET_EXISTS, IO
 */
export async function saveRanges(
  source: ByteSource,
  ranges: readonly Range[],
  copy: string,
  options: Cancellable,
): Promise<void> {
  const part = unfinishedCopy(source.path, copy);
  try {
    const handle = await open(part, 'w', 0o600).catch((error: unknown) => {
      throw ioError(error, 'creating', part);
    });
    try {
      await writeCopy(handle, source, pieces(ranges, source.size), copy, options);
    } finally {
      await handle.close();
    }
    await publishFile(part, copy);
  } catch (error) {
    await discard(part);
    throw error;
  }
}

async function writeCopy(
  handle: FileHandle,
  source: ByteSource,
  ranges: readonly Range[],
  copy: string,
  { signal }: Cancellable,
): Promise<void> {
  const { path, size } = source;
  const put = async (text: string): Promise<void> => {
    await handle.appendFile(text).catch((error: unknown) => {
      throw ioError(error, 'writing', copy);
    });
  };
  const what = `parts of ${path} before vhdvault repaired it`;
  const facts = {
    schema: 1,
    what,
    putBack: `${PUT_BACK} ${quote(basename(copy))}`,
    path: resolve(path),
    fileSize: size,
  };
  await put(`${JSON.stringify(facts, null, 1).slice(0, -2)},\n "ranges": [`);
  for (const [i, range] of ranges.entries()) {
    throwIfAborted(signal);
    const bytes = new Uint8Array(range.end - range.start);
    await source.read(range.start, bytes);
    const deflated = deflateSync(bytes);
    if (!equalBytes(inflateSync(deflated), bytes)) {
      throw new VhdvaultError('BUG', `the copy of ${path} at byte ${range.start} is not what was read`);
    }
    const entry = { offset: range.start, length: bytes.byteLength, deflated: deflated.toString('base64') };
    await put(`${i === 0 ? '' : ','}\n  ${JSON.stringify(entry)}`);
  }
  await put('\n ]\n}\n');
}

/** Joined where they touch, inside of the file, and small enough to be read at once. */
function pieces(ranges: readonly Range[], fileSize: number): Range[] {
  const joined: Range[] = [];
  for (const { start, end } of [...ranges].sort((a, b) => a.start - b.start)) {
    const stop = Math.min(end, fileSize);
    const last = joined.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, stop);
    else if (start < stop) joined.push({ start, end: stop });
  }
  return joined.flatMap(({ start, end }) =>
    Array.from({ length: Math.ceil((end - start) / MIB) }, (_, i) => {
      return { start: start + i * MIB, end: Math.min(end, start + (i + 1) * MIB) };
    }),
  );
}
