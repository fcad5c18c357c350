import { GIB, MIB } from '../base/units.ts';
import type { Vault } from '../vault/vault.ts';
import { withGoodCopies } from './check-copies.ts';
import type { Marks } from './mark.ts';
import type { PackFacts, PackTable } from './pack-table.ts';
import type { Stoppable } from './read-index.ts';

/** Packs, by their number, whose needed blocks are to be stored anew together, each batch by one entry of the log. */
export interface RepackPlan {
  batches: readonly (readonly number[])[];
  packs: readonly number[];
  /** Stored bytes of what is needed of them. */
  bytes: number;
}

/** A pack under it is small, and so many small ones of a kind are joined. */
const SMALL = 4 * MIB;
const MANY_SMALL = 16;

const BATCH = { packs: 256, bytes: GIB, frames: 131_072 };

/** What a pack has besides its frames (FORMAT.md): header, tag of the directory, trailer; and of each frame an entry there. */
const OVERHEAD = 96 + 16 + 24;
const OVERHEAD_OF_FRAME = 48;

/**
 * Chooses packs of which less than half is needed, small ones where there are many, and quarantined ones that have what no other
 * pack has. What comes out of it is needed whole, so none of that is chosen again. Copies on which it relies are read (D3).
 * @throws GC_BLOCKED, CANCELLED
 */
export async function planRepack(
  vault: Vault,
  { packs: table, isLacking }: Marks,
  { signal }: Stoppable,
): Promise<RepackPlan> {
  const chosen = choosePacks(table).filter((number) => !isLacking || table.isUsable(number));
  const good = new Set(await withGoodCopies({ vault, table, signal }, chosen));
  const batches = batchesOf(
    table.packs,
    chosen.filter((number) => good.has(number)),
  );
  const all = batches.flat();
  const bytes = all.reduce((sum, number) => sum + (table.packs[number] as PackFacts).keptBytes, 0);
  return { batches, packs: all, bytes };
}

/** By their age. */
export function choosePacks({ packs }: Pick<PackTable, 'packs'>): number[] {
  const needed = [...packs.entries()].filter(([, { status, kept }]) => status !== 'condemned' && kept > 0);
  const small = needed.filter(([, { status, size }]) => status === 'usable' && size < SMALL);
  const joins = [true, false].map((holdsPages) => small.filter(([, pack]) => pack.holdsPages === holdsPages));
  const chosen = new Set([
    ...needed.filter(([, pack]) => isWorthIt(pack)).map(([number]) => number),
    ...joins.filter((some) => some.length >= MANY_SMALL).flatMap((some) => some.map(([number]) => number)),
  ]);
  return [...chosen].sort((a, b) => a - b);
}

function isSparse({ size, frames, keptBytes }: PackFacts): boolean {
  return keptBytes < (size - OVERHEAD - OVERHEAD_OF_FRAME * frames) / 2;
}

/** In the order of their age, so that what was stored together stays together. */
function batchesOf(packs: readonly PackFacts[], numbers: readonly number[]): number[][] {
  const batches: number[][] = [];
  let open = { numbers: [] as number[], bytes: 0, frames: 0 };
  for (const number of numbers) {
    const { keptBytes, kept } = packs[number] as PackFacts;
    const isFull =
      open.numbers.length === BATCH.packs || open.bytes + keptBytes > BATCH.bytes || open.frames + kept > BATCH.frames;
    if (isFull && open.numbers.length > 0) {
      batches.push(open.numbers);
      open = { numbers: [], bytes: 0, frames: 0 };
    }
    open.numbers.push(number);
    open.bytes += keptBytes;
    open.frames += kept;
  }
  if (open.numbers.length > 0) batches.push(open.numbers);
  return batches.filter((batch) => batch.length > 1 || batch.some((number) => isWorthIt(packs[number] as PackFacts)));
}

/** Also alone: a small pack would only be copied. */
function isWorthIt(pack: PackFacts): boolean {
  return pack.status === 'quarantined' || isSparse(pack);
}
