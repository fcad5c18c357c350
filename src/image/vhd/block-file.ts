import type { FileHandle } from 'node:fs/promises';
import { ioError, VhdvaultError } from '../../base/errors.ts';
import { equalBytes } from '../../base/hex.ts';
import { MIB, roundUp, SECTOR } from '../../base/units.ts';
import { writeFully } from '../../io/write-fully.ts';
import { type BlockTable, UNALLOCATED } from './bat.ts';
import type { DynamicHeader } from './dynamic-header.ts';
import { findFooter } from './find-footer.ts';
import { encodeFooter, FOOTER_BYTES, type Footer } from './footer.ts';
import { headRanges, type Layer } from './layer.ts';
import { bitmapBytes } from './sector-bitmap.ts';

/**
 * The writing side of a dynamic or differencing image: one record, owned by who opened the image for writing. Whatever
 * happens, the file opens: it grows by a footer at its new end first, and blocks lie behind all that is in use until their
 * data is durable; only then does the table name them.
 *
 * | step                    | a crash after it leaves                                  |
 * | ----------------------- | -------------------------------------------------------- |
 * | footer at the new end   | the image as it was, with slack before its footer        |
 * | data into new blocks    | the same                                                 |
 * | sync                    | the same                                                 |
 * | bitmaps, table entries  | the same, or each sector as it was or as it was written  |
 * | sync                    | what was written                                         |
 */
export interface BlockFile {
  readonly handle: FileHandle;
  readonly path: string;
  /** Sectors that are not here are the parent's. */
  readonly layered: boolean;
  /** Its table is shared with the readers, who see at once what is allocated. */
  readonly blocks: BlockTable;
  footer: Footer;
  header: DynamicHeader;
  /** Where the footer at the end begins. */
  limit: number;
  /** All that is in use ends here. */
  end: number;
  /** From here on, nothing but the footer was ever written. */
  clean: number;
  /** Both footers are what `footer` says, and lead to `header`. */
  begun: boolean;
  /** Syncing failed once. */
  failed: boolean;
  /** Blocks whose table entry is not written yet. */
  readonly entries: Set<number>;
  /** Sector bitmaps that are not written yet. */
  readonly bitmaps: Map<number, Uint8Array>;
  /** A bit per block whose sector bitmap in the file is known to be full. */
  full: Uint8Array;
}

/**
 * @throws VHD_FOOTER_MISSING for an image that was read by the copy of its footer: to write to it, it has to be mended first
 */
export async function openBlockFile(layer: Layer, handle: FileHandle): Promise<BlockFile> {
  const { path } = layer.source;
  const found = await findFooter(layer.source);
  if (!found || found.cut) {
    throw new VhdvaultError(
      'VHD_FOOTER_MISSING',
      `${path} has no footer at its end: it can be read, but not written to`,
      {
        hint: `mend it first: vhdvault vhd repair ${path}`,
        details: { path, offset: layer.source.size },
      },
    );
  }
  const footer = withoutTap(layer.footer!);
  const file: BlockFile = {
    handle,
    path,
    layered: layer.format === 'vhd-differencing',
    blocks: layer.blocks!,
    footer,
    header: layer.header!,
    limit: found.limit,
    end: 0,
    clean: found.limit + FOOTER_BYTES,
    begun: await isIntact(layer, found.limit, encodeFooter(footer)),
    failed: false,
    entries: new Set(),
    bitmaps: new Map(),
    full: new Uint8Array(Math.ceil(layer.blocks!.bat.length / 8)),
  };
  file.end = usedEnd(file);
  return file;
}

/** XenServer keeps a second map of full blocks, which we would have to keep true: without its name nobody looks at it. */
function withoutTap(footer: Footer): Footer {
  return footer.creatorApplication.startsWith('tap') ? { ...footer, ...CREATOR } : footer;
}

/**
 * The creator is `win ` 10.0, though Windows it was not: the field is what others choose the meaning of the size by. qemu
 * takes the geometry for the size of creators that it does not know, and drops the end of the disk (a 4 MiB disk reads as
 * 4177920 bytes); for `win ` everybody takes the current size. The alternative, an own creator with the greatest geometry,
 * reads well too, but shows old guests a geometry that their boot code was not installed with. Images follow the
 * conventions of Windows in all else: sizes in bytes, whole bitmaps, 4 KiB-aligned data.
 */
export const CREATOR: Pick<Footer, 'creatorApplication' | 'creatorVersion' | 'creatorHostOS'> = {
  creatorApplication: 'win ',
  creatorVersion: 0x000a0000,
  creatorHostOS: 'Wi2k',
};

async function isIntact({ source }: Layer, limit: number, footer: Uint8Array): Promise<boolean> {
  if (source.size !== limit + FOOTER_BYTES) return false;
  const [copy, end] = [new Uint8Array(FOOTER_BYTES), new Uint8Array(FOOTER_BYTES)];
  await source.read(0, copy);
  await source.read(limit, end);
  return equalBytes(copy, footer) && equalBytes(end, footer);
}

type OpenFile = Pick<BlockFile, 'handle' | 'path'>;

export async function put(file: OpenFile, position: number, bytes: Uint8Array): Promise<void> {
  await writeFully(file.handle, file.path, position, bytes);
}

/** Once it has failed, it fails: the system forgets what it could not write, and then says that all is written. */
export async function makeDurable(file: Pick<BlockFile, 'handle' | 'path' | 'failed'>): Promise<void> {
  if (file.failed) {
    const hint = 'what was written last may be lost: close the image, look at the disk, and write it again';
    throw new VhdvaultError('IO', `syncing ${file.path} has failed before`, { hint, details: { path: file.path } });
  }
  await file.handle.datasync().catch((error: unknown) => {
    file.failed = true;
    throw ioError(error, 'syncing', file.path);
  });
}

export async function setFileSize(file: OpenFile, size: number): Promise<void> {
  await file.handle.truncate(size).catch((error: unknown) => {
    throw ioError(error, 'setting the size of', file.path);
  });
}

/** Before the first change: makes both footers what we say from now on, the one at the end, which counts, first. */
export async function begin(file: BlockFile): Promise<void> {
  if (file.begun) return;
  const footer = encodeFooter(file.footer);
  for (const place of [file.limit, 0]) {
    await put(file, place, footer);
    await makeDurable(file);
  }
  file.begun = true;
}

/**
 * Moves the end of the file behind `end`, and by `ahead` further where that is needed at all. Durably: a power cut must not
 * leave data behind the last footer, where a guest's own footer would be taken for the image's.
 */
export async function extend(file: BlockFile, end: number, ahead = 0): Promise<void> {
  if (roundUp(end, SECTOR) <= file.limit) return;
  const limit = roundUp(end + ahead, SECTOR);
  await begin(file);
  try {
    await put(file, limit, encodeFooter(file.footer));
    await makeDurable(file);
  } catch (error) {
    // Then the file is as long as it was.
    await setFileSize(file, file.limit + FOOTER_BYTES).catch(() => {});
    throw error;
  }
  file.clean = Math.max(file.clean, file.limit + FOOTER_BYTES);
  file.limit = limit;
}

const ZEROS: Uint8Array = new Uint8Array(MIB);

export async function putZeros(file: OpenFile, position: number, length: number): Promise<void> {
  for (let done = 0; done < length; done += ZEROS.byteLength) {
    await put(file, position + done, ZEROS.subarray(0, Math.min(ZEROS.byteLength, length - done)));
  }
}

interface Range {
  start: number;
  end: number;
}

function structures({ footer, header, limit }: BlockFile): Range[] {
  // Nobody checked those whose code is no path.
  const locators = header.locators
    .filter(({ dataOffset, dataLength }) => dataLength > 0 && dataOffset + dataLength <= limit)
    .map(({ dataOffset, dataLength }) => ({ start: dataOffset, end: roundUp(dataOffset + dataLength, SECTOR) }));
  return [...headRanges(footer.dataOffset!, header), ...locators];
}

/** Where all that is in use ends; the last block counts whole, even if the file stores less of it. */
export function usedEnd(file: BlockFile): number {
  let end = Math.max(...structures(file).map((range) => range.end));
  const length = blockBytes(file);
  const { bat } = file.blocks;
  for (const entry of bat) if (entry !== UNALLOCATED) end = Math.max(end, entry * SECTOR + length);
  return end;
}

/** Where the next thing in use begins, from `position` on; Infinity where only the footer follows. */
export function nextUsed(file: BlockFile, position: number): number {
  let next = Number.POSITIVE_INFINITY;
  for (const { start } of structures(file)) if (start >= position && start < next) next = start;
  for (const entry of file.blocks.bat) {
    const start = entry * SECTOR;
    if (entry !== UNALLOCATED && start >= position && start < next) next = start;
  }
  return next;
}

/** Makes zeros of what is no longer in use, unless something else lies there after all. */
export async function clear(file: BlockFile, { start, end }: Range): Promise<void> {
  const length = blockBytes(file);
  const isThere = (range: Range): boolean => range.start < end && range.end > start;
  if (end > file.limit || structures(file).some(isThere)) return;
  for (const entry of file.blocks.bat) {
    if (entry !== UNALLOCATED && isThere({ start: entry * SECTOR, end: entry * SECTOR + length })) return;
  }
  await putZeros(file, start, end - start);
}

/** Of a block in the file, bitmap and data. */
export function blockBytes({ blocks }: BlockFile): number {
  return bitmapBytes(blocks.blockSize) + blocks.blockSize;
}
