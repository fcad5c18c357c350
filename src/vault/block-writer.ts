import { toHex } from '../base/hex.ts';
import type { FrameKind } from './pack/frame.ts';
import { openPack, packPath } from './pack/pack-reader.ts';
import { type FinishedPack, type PackOptions, PackWriter } from './pack/pack-writer.ts';

export type { Codec } from './codec/compress.ts';
export { PACK_FOLDERS, packPath } from './pack/pack-reader.ts';
export type { FinishedPack } from './pack/pack-writer.ts';
export { FRAMES_TARGET } from './pack/pack-writer.ts';

export interface BlockWriterOptions extends PackOptions {
  /** The staging location of the job, in the store. */
  folder: string;
  /** Tells the unfinished files of this run from those of another that has, or had, the same job. */
  run: string;
  kind: FrameKind;
  /** Awaited before the first pack enters packs/: the job must be open in the log (J1). */
  beforePublish: () => Promise<void>;
  /** Told of each pack once it lies in packs/; awaited. */
  onPack: (pack: FinishedPack) => Promise<void>;
}

/** An empty file in a staging location: the job has stored this pack, or was about to. Proposes only: who resumes the job looks. */
export function capturedPath(folder: string, pack: string): string {
  return `${folder}/${CAPTURED}${pack}`;
}

/** A file that a run is writing. */
export function partPath(folder: string, run: string, what: string): string {
  return `${folder}/${partPrefix(run)}${what}`;
}

export function partPrefix(run: string): string {
  return `part-${run}-`;
}

/** The pack that the name of a file in a staging location tells of. */
export function capturedPack(name: string): string | undefined {
  return /^captured-([0-9a-f]{64})$/.exec(name)?.[1];
}

const CAPTURED = 'captured-';

/** Packs under this at the end of a scan are joined (B3): what a repack calls small. */
const SMALL_PACK: number = 4 * 1024 * 1024;

/** Under this an interrupted run begins its pack again rather than leave a small one behind. */
const WORTH_KEEPING: number = 1024 * 1024;

/** Stores blocks: seals them into packs that grow in the staging location and move into packs/ as they fill. */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  #pack: PackWriter | undefined;
  /** The pack before, which is synced and moved while the next one fills. */
  #publishing: Promise<void> = Promise.resolve();
  #failed: { error: unknown } | undefined;

  constructor(options: BlockWriterOptions) {
    this.#options = options;
  }

  /** Stores one block, whose id the caller has made sure is new; returns the bytes that it takes. */
  async append(id: Uint8Array, raw: Uint8Array): Promise<number> {
    if (this.#failed) throw this.#failed.error;
    this.#pack ??= this.#newPack();
    const stored = await this.#pack.append(this.#options.kind, id, raw);
    if (this.#pack.isFull) await this.#turnOver();
    return stored;
  }

  /** Moves all frames of a small pack of the staging location over, still compressed. */
  async join({ path, size, entries }: FinishedPack): Promise<void> {
    await using small = await openPack(this.#options.store, this.#options.keys, path);
    const frames = Buffer.allocUnsafeSlow(size);
    await small.readRange(0, frames);
    for (const [ordinal, entry] of entries.entries()) {
      const stored = frames.subarray(entry.offset, entry.offset + entry.storedLength);
      this.#pack ??= this.#newPack();
      await this.#pack.appendPayload(entry, small.openPayload({ ...entry, ordinal }, stored));
      if (this.#pack.isFull) await this.#turnOver();
    }
  }

  /** Publishes what is left, but for a last pack that is small: it is finished, stays where it is, and is returned. */
  async finishShare(): Promise<FinishedPack | null> {
    const last = this.#pack;
    if (last && last.size < SMALL_PACK) {
      this.#pack = undefined;
      try {
        await this.finish();
        return await last.finish();
      } catch (error) {
        await last.discard();
        throw error;
      }
    }
    await this.finish();
    return null;
  }

  /** Publishes what is left. */
  async finish(): Promise<void> {
    if (this.#pack) await this.#turnOver();
    await this.#publishing;
    if (this.#failed) throw this.#failed.error;
  }

  /** Publishes an open pack that is worth it: the run was stopped, and the next one goes on with what is stored. */
  async keep(): Promise<void> {
    if (this.#pack && this.#pack.size >= WORTH_KEEPING) await this.#turnOver();
    await this.#publishing;
  }

  /** Drops the open pack; whole ones stay for the next run. */
  async discard(): Promise<void> {
    await this.#pack?.discard();
    this.#pack = undefined;
    await this.#publishing;
  }

  async #turnOver(): Promise<void> {
    const pack = this.#pack as PackWriter;
    this.#pack = undefined;
    await this.#publishing;
    if (this.#failed) return pack.discard();
    this.#publishing = this.#publish(pack).catch((error: unknown) => {
      this.#failed = { error };
    });
  }

  async #publish(pack: PackWriter): Promise<void> {
    const { store, beforePublish, onPack } = this.#options;
    let finished: FinishedPack;
    try {
      finished = await pack.finish();
    } catch (error) {
      await pack.discard();
      throw error;
    }
    await beforePublish();
    // Before the pack moves: a kill in between must not make it nobody's.
    await (await store.create(capturedPath(this.#options.folder, finished.name)))[Symbol.asyncDispose]();
    await store.rename(finished.path, packPath(finished.name));
    await onPack(finished);
  }

  #newPack(): PackWriter {
    const { folder, run, random } = this.#options;
    return new PackWriter(this.#options, partPath(folder, run, `pack-${toHex(random.bytes(6))}`));
  }
}
