import { type Cancellable, throwIfAborted } from '../base/abort.ts';
import { systemClock } from '../base/clock.ts';
import { isError, VhdvaultError } from '../base/errors.ts';
import type { Finding } from '../base/finding.ts';
import { discard } from '../io/atomic-file.ts';
import { applyRepair, openForRepair } from './check/apply-repair.ts';
import { copyPath, saveRanges, unfinishedCopy } from './check/metadata-copy.ts';
import { planRepair, type RepairStep } from './check/plan-repair.ts';
import { rangesToSave, readRepairState } from './check/repair-state.ts';
import { checkImage } from './check-image.ts';
import { lockImage } from './image-lock.ts';
import { generationOf } from './vhd/generation.ts';
import type { Layer } from './vhd/layer.ts';
import { openImageFile } from './vhd/recognise.ts';

/** How to repair an image. */
export interface RepairOptions extends Cancellable {
  /** Only tell what would be done. */
  dryRun?: boolean;
  /** Where the copy of the metadata goes, a file or a folder; default beside the image. */
  copyTo?: string;
  /** Where parents may lie, for checking the chain afterwards; see `openDisk`. */
  parentRoots?: readonly string[];
}

/** One thing that a repair did, or would do. */
export interface RepairAction {
  /** What it does, as a whole sentence. */
  what: string;
  /** Bytes from the start of the file. */
  offset: number;
  /** Bytes written there, or cut off. */
  length: number;
}

/** What a repair did. */
export interface RepairResult {
  /** As it was given. */
  path: string;
  /** The copy of all metadata as they were; null where nothing was changed. */
  copy: string | null;
  /** In the order in which they were done. */
  actions: RepairAction[];
  /** What is left. */
  findings: Finding[];
}

/**
 * Mends what can be mended without guessing: a footer from its copy, a copy from the footer, garbage behind the last block (up
 * to 64 MiB of it, which go into the copy), a footer of 511 bytes. All else is only reported, and an image that does not open
 * is not touched. The disk reads the same before and after. Before anything is changed, a copy of the metadata is made: JSON,
 * which itself says by what command it is put back.
 * @throws what `openWritable` throws but for damage; DISK_FORMAT_UNSUPPORTED for a raw disk, SOURCE_CHANGED, NO_SPACE,
 * TARGET_EXISTS for the copy, CANCELLED
 */
export async function repairImage(path: string, options: RepairOptions = {}): Promise<RepairResult> {
  throwIfAborted(options.signal);
  await using _lock = options.dryRun ? null : await lockImage(path);
  const { copy, steps } = await mend(path, options);
  const { signal, parentRoots = [] } = options;
  const all = await checkImage(path, { parentRoots, ...(signal && { signal }) });
  const cured = new Set(options.dryRun ? steps.flatMap(({ cures }) => cures) : []);
  const findings = all.filter(({ code, where }) => where !== path || !cured.has(code));
  return { path, copy, actions: steps.map(({ what, offset, length }) => ({ what, offset, length })), findings };
}

async function mend(path: string, options: RepairOptions): Promise<{ copy: string | null; steps: RepairStep[] }> {
  const layer = await openOrNull(path);
  if (!layer) return { copy: null, steps: [] };
  await using _source = layer.source;
  const generation = await generationOf(layer);
  const steps = planRepair(await readRepairState(layer));
  if (options.dryRun) return { copy: null, steps };
  const copy = await copyPath(path, options.copyTo, systemClock.now());
  await discard(unfinishedCopy(path, copy));
  if (steps.length === 0) return { copy: null, steps };
  await using handle = await openForRepair(path);
  await saveRanges(layer.source, rangesToSave(layer, steps), copy, options);
  if ((await generationOf(layer)).stamp !== generation.stamp) throw changed(path);
  await applyRepair(handle, path, steps, options);
  return { copy, steps };
}

/** Null where the image is damaged so that it does not open, which is told by the findings. */
async function openOrNull(path: string): Promise<Layer | null> {
  const layer = await openImageFile(path, undefined).catch((error: unknown) => {
    if (isError(error) && error.code.startsWith('VHD_') && error.code !== 'VHD_ENCRYPTED') return null;
    throw error;
  });
  if (!layer || layer.format.startsWith('vhd-')) return layer;
  await layer.source[Symbol.asyncDispose]();
  if (layer.format === 'block-device') {
    const hint = 'name an image file';
    throw new VhdvaultError('TARGET_UNUSABLE', `${path} is a block device`, { hint, details: { path } });
  }
  throw new VhdvaultError('DISK_FORMAT_UNSUPPORTED', `${path} is a raw disk, in which there is nothing to repair`, {
    hint: 'check the path; a VHD whose footer and copy are both gone has to be copied again from where it came',
    details: { path, found: layer.format },
  });
}

function changed(path: string): VhdvaultError {
  return new VhdvaultError('SOURCE_CHANGED', `${path} was written to while it was looked at; nothing was changed`, {
    hint: 'stop the machine that uses it, then run the command again',
    details: { path },
  });
}
