import { died } from '../base/died.ts';
import { isError } from '../base/errors.ts';
import { equalBytes } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { type BlockHasher, createBlockHasher } from './block-ids.ts';
import type { VaultKeys } from './crypto/keys.ts';
import type { BadFrames } from './log/bad-frames.ts';
import type { Store } from './open-store.ts';
import type { DirectoryEntry } from './pack/directory.ts';
import { FRAME_KINDS } from './pack/frame.ts';
import { type FrameLocation, openPack, type PackReader, packPath } from './pack/pack-reader.ts';
import { PassingHash } from './passing-hash.ts';
import { type Trouble, troubleOf, wrongBytes } from './trouble.ts';

/** Of a map page (FORMAT.md). */
const PAGE_LENGTH = 8192;

export { inBoth, inEither } from './log/bad-frames.ts';

/** Frames of a pack, by their numbers. */
export type Frames = BadFrames;

/** Whether all of `frames` are among those for which a pack is quarantined; undefined: it is not. */
export function covers(quarantined: Frames | undefined, frames: Frames): boolean {
  if (quarantined === undefined) return false;
  return quarantined === 'all' || (frames !== 'all' && frames.every((frame) => quarantined.includes(frame)));
}

/** What is wrong with a pack. */
export interface PackCheck {
  troubles: Trouble[];
  /** Frames with wrong bytes, by tag or id: never for an I/O error. */
  wrong: Frames;
  /** All frames that cannot be had from it: also those that could not be read, or that the index looks for elsewhere. */
  lost: Frames;
}

/** Where the index says that a block lies in the pack. */
export type IndexedFrame = Omit<FrameLocation, 'rawLength'>;

export interface CheckPackOptions {
  store: Store;
  keys: VaultKeys;
  name: string;
  size: number;
  blockSize: number;
  indexed: readonly IndexedFrame[];
}

/**
 * Reads every byte of a pack: its name against the hash of its bytes, its directory, every frame and every id, and what
 * the index says of it against what it holds. Frames that are whole are found so whatever else is wrong: who reads them
 * needs the header and the index, and no directory.
 */
export async function checkPack(options: CheckPackOptions): Promise<PackCheck> {
  const { store, keys, name, size } = options;
  const path = packPath(name);
  const troubles: Trouble[] = [];
  try {
    await using pack = await openPack(store, keys, path);
    if (pack.size !== size) troubles.push(wrongBytes(`is ${pack.size} bytes long, expected ${size}`));
    const hash = new PassingHash(pack);
    const { wrong, lost } = await checkContent(hash, options, troubles);
    if (pack.size === size) await checkName(hash, name, troubles);
    return { troubles, wrong, lost };
  } catch (error) {
    const trouble = troubleOf(error, path);
    return { troubles: [...troubles, trouble], wrong: trouble.unread === null ? 'all' : [], lost: 'all' };
  }
}

async function checkContent(
  hash: PassingHash,
  { keys, blockSize, indexed }: CheckPackOptions,
  troubles: Trouble[],
): Promise<{ wrong: number[]; lost: number[] }> {
  const { pack } = hash;
  const directory = await pack.directory().catch((error: unknown) => {
    // A pack that was cut has lost its end: that is told by its size.
    if (troubles.length === 0) troubles.push(troubleOf(error, pack.path));
  });
  const byIndex = indexed.map((frame) => ({ ...frame, rawLength: rawLengthOf(frame, blockSize) }));
  const frames = directory?.map((entry, ordinal) => ({ ...entry, ordinal })) ?? byIndex;
  const { wrong, unread, trouble } = await checkFrames(hash, frames, createBlockHasher(keys));
  const misplaced = directory ? byIndex.filter((frame) => !isAt(directory[frame.ordinal], frame)) : [];
  if (wrong.length > 0) troubles.push(wrongBytes(`has ${wrong.length} of ${frames.length} blocks that cannot be read`));
  if (trouble) troubles.push(trouble);
  if (misplaced.length > 0) troubles.push(wrongBytes(`does not hold ${misplaced.length} blocks where the index says`));
  const elsewhere = misplaced.map(({ ordinal }) => ordinal).filter((ordinal) => !wrong.includes(ordinal));
  return { wrong: [...wrong, ...elsewhere], lost: [...wrong, ...unread, ...elsewhere] };
}

async function checkName(hash: PassingHash, name: string, troubles: Trouble[]): Promise<void> {
  try {
    if ((await hash.end()) !== name) troubles.push(wrongBytes('does not have the bytes that its name tells'));
  } catch (error) {
    if (troubles.length === 0) troubles.push(troubleOf(error, packPath(name)));
  }
}

function rawLengthOf({ kind }: IndexedFrame, blockSize: number): number {
  return kind === FRAME_KINDS.data ? blockSize : PAGE_LENGTH;
}

function isAt(entry: DirectoryEntry | undefined, frame: FrameLocation): boolean {
  return (
    entry !== undefined &&
    equalBytes(entry.id, frame.id) &&
    entry.offset === frame.offset &&
    entry.storedLength === frame.storedLength &&
    entry.codec === frame.codec &&
    entry.kind === frame.kind &&
    entry.rawLength === frame.rawLength
  );
}

/** Frames are read some at a time, in the order in which they lie. */
async function checkFrames(
  hash: PassingHash,
  frames: readonly FrameLocation[],
  hasher: BlockHasher,
): Promise<{ wrong: number[]; unread: number[]; trouble: Trouble | undefined }> {
  const [wrong, unread]: [number[], number[]] = [[], []];
  const { pack } = hash;
  let trouble: Trouble | undefined;
  const memory = Buffer.allocUnsafeSlow(MIB);
  for (const run of runsOf(frames)) {
    const stored = await readRun(hash, run, memory);
    for (const frame of run) {
      try {
        const bytes = stored?.subarray(frame.offset - run[0]!.offset) ?? (await readFrame(pack, frame));
        if (!isWhole(pack, frame, bytes.subarray(0, frame.storedLength), hasher)) wrong.push(frame.ordinal);
        died(frame.rawLength);
      } catch (error) {
        if (isError(error, 'VAULT_DAMAGED')) {
          wrong.push(frame.ordinal);
          continue;
        }
        trouble ??= troubleOf(error, pack.path);
        unread.push(frame.ordinal);
      }
    }
  }
  return { wrong, unread, trouble };
}

/** Neighbours of together at most 1 MiB, or one frame that is larger. */
function* runsOf(frames: readonly FrameLocation[]): Generator<FrameLocation[]> {
  let run: FrameLocation[] = [];
  let [start, end] = [0, 0];
  for (const frame of frames.toSorted((a, b) => a.offset - b.offset)) {
    const stop = frame.offset + frame.storedLength;
    if (run.length > 0 && (frame.offset > end || stop - start > MIB)) {
      yield run;
      run = [];
    }
    if (run.length === 0) start = frame.offset;
    run.push(frame);
    end = Math.max(end, stop);
  }
  if (run.length > 0) yield run;
}

/** Undefined where not all of it can be read: then each frame is read alone. */
async function readRun(hash: PassingHash, run: readonly FrameLocation[], memory: Buffer): Promise<Buffer | undefined> {
  const start = run[0]!.offset;
  const length = Math.max(...run.map(({ offset, storedLength }) => offset + storedLength)) - start;
  if (length > memory.byteLength) return undefined;
  const bytes = memory.subarray(0, length);
  try {
    await hash.readRange(start, bytes);
    return bytes;
  } catch {
    return undefined;
  }
}

async function readFrame(pack: PackReader, { offset, storedLength }: FrameLocation): Promise<Buffer> {
  const stored = Buffer.allocUnsafe(storedLength);
  await pack.readRange(offset, stored);
  return stored;
}

/** @throws VAULT_DAMAGED where the frame does not open */
function isWhole(pack: PackReader, frame: FrameLocation, stored: Uint8Array, hasher: BlockHasher): boolean {
  const raw = pack.openFrame(frame, stored);
  return equalBytes(frame.kind === FRAME_KINDS.data ? hasher.data(raw) : hasher.page(raw), frame.id);
}
