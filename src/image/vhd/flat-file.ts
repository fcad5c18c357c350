import type { FileHandle } from 'node:fs/promises';
import { makeDurable, put, putZeros, setFileSize } from './block-file.ts';
import { encodeFooter, FOOTER_BYTES, type Footer } from './footer.ts';
import { resized } from './resize-blocks.ts';

/** The writing side of a raw or fixed image, whose bytes are the disk's. */
export interface FlatFile {
  readonly handle: FileHandle;
  readonly path: string;
  size: number;
  /** Null when it is raw. */
  footer: Footer | null;
  /** Where the footer begins; of a raw image, where the file ends. */
  limit: number;
  /** Syncing failed once. */
  failed: boolean;
}

/**
 * Gives the disk another size; what is new is zeros. A footer may stand behind the end of its disk, so the file first gets one
 * of the old size at its new end; once all between is zeros, that footer is told the new size.
 * @throws NO_SPACE, IO
 */
export async function resizeFlat(file: FlatFile, size: number): Promise<void> {
  if (!file.footer) {
    await setFileSize(file, size);
    await makeDurable(file);
    file.size = size;
    file.limit = size;
    return;
  }
  const old = file.footer;
  const footer = resized(old, size);
  const was = file.limit;
  const limit = Math.max(was, size);
  if (limit > was) await putFooter(file, limit, old);
  // From here on the footer that stood here is data: the file must not be cut behind it again.
  file.limit = limit;
  await putZeros(file, file.size, Math.min(limit, was + FOOTER_BYTES, Math.max(size, file.size)) - file.size);
  await makeDurable(file);
  await putFooter(file, limit, footer);
  if (limit > size) {
    // Where it would lie over the one that counts, that one goes out of its way first.
    if (limit < size + FOOTER_BYTES) await putFooter(file, size + 2 * FOOTER_BYTES, footer);
    await putFooter(file, size, footer);
    await setFileSize(file, size + FOOTER_BYTES);
    await makeDurable(file);
  }
  file.size = size;
  file.footer = footer;
  file.limit = size;
}

async function putFooter(file: FlatFile, position: number, footer: Footer): Promise<void> {
  await put(file, position, encodeFooter(footer)).catch(async (error: unknown) => {
    if (position > file.limit) await setFileSize(file, file.limit + FOOTER_BYTES).catch(() => {});
    throw error;
  });
  await makeDurable(file);
}
