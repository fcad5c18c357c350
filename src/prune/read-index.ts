import { throwIfAborted } from '../base/abort.ts';
import { died } from '../base/died.ts';
import { isUnreadable, VhdvaultError } from '../base/errors.ts';
import { openSegment, type Segment, type SegmentPack, type SegmentPage, segmentPath } from '../vault/block-index.ts';
import type { AddedSegment, Vault } from '../vault/vault.ts';
import { blockedBySegment } from './blocked.ts';
import type { PackTable } from './pack-table.ts';

/** Entries of a segment, and for each of its packs the number in the table; -1 for one that is not in it. */
export interface IndexPage {
  page: SegmentPage;
  numbers: Int32Array;
}

/** Fires when the run is to end. */
export interface Stoppable {
  signal?: AbortSignal | undefined;
}

export interface ReadOptions extends Stoppable {
  vault: Vault;
  table: PackTable;
  /** Gives the number of a pack that is not in the table yet; without it such packs are passed over. */
  enter?: ((pack: SegmentPack) => number) | undefined;
  /** Segments that list none of these packs are passed over. */
  wants?: ((number: number) => boolean) | undefined;
  /** Bytes of the index that were read, or need not be. */
  onBytes?: ((bytes: number) => void) | undefined;
}

/** Tells of itself in the log and in its sealed header; another one in its place would hide what it lists. @throws GC_BLOCKED */
export async function openLive(vault: Vault, added: AddedSegment): Promise<Segment> {
  const path = segmentPath(added.segment);
  try {
    const segment = await openSegment(vault.store, vault.keys, path);
    if (segment.job === added.job && segment.size === added.size) return segment;
    await segment[Symbol.asyncDispose]();
    throw new VhdvaultError('VAULT_DAMAGED', `${path} is not the segment that the log tells of`, {
      details: { path },
    });
  } catch (error) {
    throw isUnreadable(error) ? blockedBySegment(vault, added, error) : error;
  }
}

/** All entries of one live segment, from the vault itself and checked. @throws GC_BLOCKED, CANCELLED */
export async function* readSegment(options: ReadOptions, added: AddedSegment): AsyncGenerator<IndexPage> {
  const { vault, table, enter, wants, signal, onBytes } = options;
  await using segment = await openLive(vault, added);
  const numbers = Int32Array.from(segment.packs, (pack) => enter?.(pack) ?? table.numberOf(pack.name) ?? -1);
  if (wants && !numbers.some((number) => number >= 0 && wants(number))) return onBytes?.(added.size);
  try {
    for await (const page of segment.scan()) {
      throwIfAborted(signal);
      yield { page, numbers };
      onBytes?.(page.bytes.byteLength);
      died(page.bytes.byteLength);
    }
  } catch (error) {
    throw isUnreadable(error) ? blockedBySegment(vault, added, error) : error;
  }
}

/** The same of several, one after the other. */
export async function* readSegments(
  options: ReadOptions,
  segments: readonly AddedSegment[],
): AsyncGenerator<IndexPage> {
  for (const added of segments) yield* readSegment(options, added);
}
