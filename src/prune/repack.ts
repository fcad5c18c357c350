import { isUnreadable, type VhdvaultError } from '../base/errors.ts';
import { fromHex, toHex } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { PAGE_BYTES } from '../disk/block-map.ts';
import { FRAME_KINDS, writeSegment } from '../vault/block-index.ts';
import { BlockReader, type WantedBlock } from '../vault/block-reader.ts';
import { BlockWriter, type FinishedPack, partPath } from '../vault/block-writer.ts';
import type { Adds, Vault } from '../vault/vault.ts';
import { orAgain, whileOthersMove } from './moved-on.ts';
import type { Needs } from './needs.ts';
import { checkOwnJob, type OwnJob, publishSegment, underOwnJob } from './own-job.ts';
import type { PackFacts } from './pack-table.ts';
import { readSegments } from './read-index.ts';

/** What a batch came to. */
export interface Repacked {
  /** Packs that were condemned, and those that took their blocks. */
  packs: number;
  into: number;
  /** Of those that took them. */
  bytes: number;
}

interface RepackOptions {
  vault: Vault;
  needs: Needs;
  signal?: AbortSignal | undefined;
  onBytes?: ((bytes: number) => void) | undefined;
  onWarning: (warning: string) => void;
}

/** Blocks that are read together, before they were sealed. */
const CHUNK = 8 * MIB;

/**
 * Stores what is needed of some packs anew and condemns them, by one entry: every block is opened, its id recomputed, and sealed
 * again. A pack that cannot be read whole stays, as does one of which more is needed meanwhile. Null: none of them can go any more.
 * @throws JOB_CLOSED, GC_BLOCKED, NO_SPACE, IO, CANCELLED, VAULT_DAMAGED, OUTCOME_UNKNOWN
 */
export async function repack(options: RepackOptions, batch: readonly number[]): Promise<Repacked | null> {
  const { vault, needs } = options;
  const { packs: table } = needs.marks;
  const frames = await whileOthersMove(vault, () => keptFrames(options, batch));
  return await underOwnJob(vault, 'repack', async (own) => {
    const { copied, packs } = await copyAll(options, own, frames);
    if (copied.length === 0) return null;
    const adds = packs.length > 0 ? await addSegment(vault, own, packs) : [];
    let given: number[] = [];
    const entry = await vault.commit(
      (state) =>
        orAgain(vault, async () => {
          await checkOwnJob(vault, state, own, packs);
          given = await needs.dispensable(state, copied);
          const names = given.map((number) => (table.packs[number] as PackFacts).name);
          return given.length === 0 ? null : { type: 'repack' as const, adds, packs: names };
        }),
      { job: own.job },
    );
    if (!entry) return null;
    needs.committed(entry);
    const bytes = packs.reduce((sum, { size }) => sum + size, 0);
    return { packs: given.length, into: packs.length, bytes };
  });
}

/** The frames of these packs that are to be copied, in the order in which they lie. */
async function keptFrames(
  { vault, needs, signal }: RepackOptions,
  batch: readonly number[],
): Promise<Map<number, WantedBlock[]>> {
  const { packs: table } = needs.marks;
  const frames = new Map<number, WantedBlock[]>(batch.map((number) => [number, []]));
  const wants = (number: number): boolean => frames.has(number);
  for await (const { page, numbers } of readSegments({ vault, table, signal, wants }, [...vault.state.segments])) {
    for (let n = 0; n < page.count; n++) {
      const number = numbers[page.pack(n)] as number;
      if (!table.isKept(number, page.ordinal(n))) continue;
      const { id, pack: _, ...place } = page.entry(n);
      const rawLength = place.kind === FRAME_KINDS.page ? PAGE_BYTES : vault.config.blockSize;
      const location = { ...place, pack: (table.packs[number] as PackFacts).name };
      frames.get(number)?.push({ id: id.slice(), location, rawLength });
    }
  }
  for (const some of frames.values()) some.sort((a, b) => a.location.offset - b.location.offset);
  return frames;
}

/** What a batch is copied with. */
interface Copying {
  reader: BlockReader;
  writers: readonly [data: BlockWriter, page: BlockWriter];
  /** Ids that were stored, hex: two quarantined packs may have the same block. */
  stored: Set<string>;
}

/** Gives the packs that were copied whole, and those that were made of them. */
async function copyAll(
  options: RepackOptions,
  own: OwnJob,
  frames: ReadonlyMap<number, WantedBlock[]>,
): Promise<{ copied: number[]; packs: FinishedPack[] }> {
  const { vault, needs, onWarning } = options;
  const packs: FinishedPack[] = [];
  const copied: number[] = [];
  await using reader = new BlockReader(vault.store, vault.keys);
  const writers = [newWriter(vault, own, 'data', packs), newWriter(vault, own, 'page', packs)] as const;
  const copying: Copying = { reader, writers, stored: new Set() };
  try {
    for (const [number, blocks] of frames) {
      const problem = await copyPack(options, copying, blocks);
      if (!problem) copied.push(number);
      else {
        const { name } = needs.marks.packs.packs[number] as PackFacts;
        onWarning(
          `pack ${name} cannot be read whole, so it stays as it is (${problem.message}); run \`vhdvault verify\``,
        );
      }
    }
    for (const writer of writers) await writer.finish();
  } catch (error) {
    for (const writer of writers) await writer.discard().catch(() => undefined);
    throw error;
  }
  return { copied, packs };
}

/** Returns what cannot be read. */
async function copyPack(
  { signal, onBytes }: RepackOptions,
  { reader, writers, stored }: Copying,
  blocks: readonly WantedBlock[],
): Promise<VhdvaultError | undefined> {
  const chunk = Math.max(1, Math.floor(CHUNK / (blocks[0]?.rawLength ?? CHUNK)));
  for (let at = 0; at < blocks.length; at += chunk) {
    const some = blocks.slice(at, at + chunk);
    const raws: Uint8Array[] = [];
    try {
      await reader.read(some, (n, raw) => (raws[n] = raw), signal);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      return error;
    }
    for (const [n, { id, location }] of some.entries()) {
      const key = toHex(id);
      if (stored.has(key)) continue;
      await (writers[location.kind] as BlockWriter).append(id, raws[n] as Uint8Array);
      stored.add(key);
      onBytes?.(location.storedLength);
    }
  }
  return undefined;
}

function newWriter(vault: Vault, own: OwnJob, kind: 'data' | 'page', packs: FinishedPack[]): BlockWriter {
  const { store, keys, random, config } = vault;
  return new BlockWriter({
    ...{ store, keys, random, job: fromHex(own.job), codec: config.codec, readBack: 'block', kind },
    ...{ folder: own.folder, run: toHex(random.bytes(4)) },
    // The job was opened before.
    beforePublish: async () => undefined,
    async onPack(pack) {
      own.packs.push(pack.name);
      packs.push(pack);
    },
  });
}

async function addSegment(vault: Vault, own: OwnJob, packs: readonly FinishedPack[]): Promise<Adds[]> {
  const { store, keys, random } = vault;
  const entries = packs
    .flatMap((pack, n) => pack.entries.map((entry, ordinal) => ({ ...entry, pack: n, ordinal })))
    .sort((a, b) => Buffer.compare(a.id, b.id));
  const listed = packs.map(({ name, size, entries: { length: frames } }) => ({ name, size, frames }));
  const path = partPath(own.folder, toHex(random.bytes(4)), 'segment');
  const written = await writeSegment({ store, keys, random, job: fromHex(own.job), path, packs: listed, entries });
  return [await publishSegment(vault, own, { path, ...written, packs: listed })];
}
