import { join } from 'node:path';
import { throwIfAborted } from '../base/abort.ts';
import { LocationTable, type PackRow } from '../cache/location-table.ts';
import type { CatalogPoint } from '../point/catalog.ts';
import { allOrFirstCause } from '../pool/all-or-first-cause.ts';
import type { Pool } from '../pool/pool.ts';
import type { RateLimit } from '../pool/rate-limit.ts';
import type { Vault } from '../vault/vault.ts';
import { buildIndex } from './build-index.ts';
import { type CheckPointsOptions, checkPoints } from './check-points.ts';
import { Findings } from './findings.ts';
import { isOutdated, type KnownState, knownState } from './known-state.ts';
import { Loss } from './loss.ts';
import { checkSize, type PackTrouble } from './pack-troubles.ts';
import { readPacks } from './read-packs.ts';
import { isInWindow, type SampleWindow, sampleWindow } from './sample-window.ts';

export interface CheckContentOptions {
  vault: Vault;
  pool: Pool;
  /** An empty folder for the index that verify makes for itself. */
  folder: string;
  /** The points to check, by the state of the vault as it is then. */
  points: () => readonly CatalogPoint[];
  /** All packs are checked, not only those that the points need. */
  whole: boolean;
  /** Which packs to read: none, all, or a share from where the last sample ended. */
  read: 'none' | 'all' | { start: number; percent: number };
  /** Of what is read of packs. */
  limit?: RateLimit | null;
  signal?: AbortSignal | undefined;
  onBytes?: ((done: number, total: number) => void) | undefined;
}

/** Packs that were read, whatever was found. */
export interface Reading {
  troubles: PackTrouble[];
  packs: number;
  bytes: number;
  ofBytes: number;
  window: SampleWindow | undefined;
}

export interface Content {
  findings: Findings;
  known: KnownState;
  /** Names of all packs that the index tells of. */
  indexed: Set<string>;
  /** Of these, how many were checked; and the blocks that were looked up. */
  packs: number;
  blocks: number;
  reading: Reading;
  /** Segments and packs that something is wrong with. */
  badSegments: string[];
  troubles: PackTrouble[];
}

/** Others condemn and sweep while we look: so often we look again. */
const MOST_PASSES = 5;

/**
 * Checks what points need: segments, packs, maps, and that every block is where the index says. What is missed is looked
 * for again if it may have gone by right meanwhile; nothing is read twice for it.
 */
export async function checkContent(options: CheckContentOptions): Promise<Content> {
  const { vault, folder } = options;
  let reading: Reading | undefined;
  for (let pass = 1; ; pass++) {
    const known = knownState(vault);
    const content = await checkOnce(options, { known, file: join(folder, `${pass}.sqlite`), reading });
    if (!content.findings.hasDamage || pass === MOST_PASSES) return content;
    await vault.refresh();
    if (!isOutdated(known, vault.state)) return content;
    reading = content.reading;
  }
}

interface Pass {
  known: KnownState;
  file: string;
  /** Of the pass before. */
  reading: Reading | undefined;
}

async function checkOnce(options: CheckContentOptions, pass: Pass): Promise<Content> {
  const { vault, signal } = options;
  const { known } = pass;
  const findings = new Findings();
  using index = new LocationTable(pass.file);
  const badSegments = await buildIndex({ vault, known, index, signal }, findings);
  const points = options.points();
  const packs = options.whole ? index.packs() : await packsOf(options, known, index, points);
  const bySize = await checkSizes(vault, index, packs, signal);
  const lookUp = (troubles: readonly PackTrouble[], until = signal): Promise<LookedUp> =>
    lookUpPoints({ vault, index, points, signal: until }, troubles, known);
  const { reading, early } = pass.reading
    ? { reading: pass.reading }
    : await atOnce(signal, {
        read: (until) => read({ ...options, signal: until }, { index, file: pass.file, packs, bySize }),
        lookUp: (until) => lookUp([...bySize.values()], until),
      });
  const indexed = new Set(index.packs().map(({ name }) => name));
  const troubles = joinVerdicts(bySize, reading.troubles).filter(({ pack }) => indexed.has(pack));
  const { lost, blocks } = early && reading.troubles.length === 0 ? early : await lookUp(troubles);
  findings.all.push(...lost.all);
  return { findings, known, indexed, packs: packs.length, blocks, reading, badSegments, troubles };
}

interface LookedUp {
  lost: Findings;
  blocks: number;
}

async function lookUpPoints(
  options: Omit<CheckPointsOptions, 'loss'>,
  troubles: readonly PackTrouble[],
  known: KnownState,
): Promise<LookedUp> {
  const lost = new Findings();
  const loss = new Loss(lost, troubles, known.quarantined);
  return { lost, blocks: await checkPoints({ ...options, loss }) };
}

/** What points need is looked up while the packs are read: what comes of the reading is news in a damaged vault only. */
async function atOnce(
  signal: AbortSignal | undefined,
  work: { read: (until: AbortSignal) => Promise<Reading>; lookUp: (until: AbortSignal) => Promise<LookedUp> },
): Promise<{ reading: Reading; early: LookedUp }> {
  const stop = new AbortController();
  const until = AbortSignal.any([...(signal ? [signal] : []), stop.signal]);
  const [reading, early] = await allOrFirstCause<[Reading, LookedUp]>([work.read(until), work.lookUp(until)], () =>
    stop.abort(),
  );
  return { reading, early };
}

/** The packs that these points need, every copy. */
async function packsOf(
  { vault, signal }: CheckContentOptions,
  known: KnownState,
  index: LocationTable,
  points: readonly CatalogPoint[],
): Promise<PackRow[]> {
  const needed = new Set<string>();
  const loss = new Loss(new Findings(), [], known.quarantined);
  await checkPoints({ vault, index, points, loss, signal, onPlace: ({ pack }) => needed.add(pack) });
  return index.packs().filter(({ name }) => needed.has(name));
}

async function checkSizes(
  vault: Vault,
  index: LocationTable,
  packs: readonly PackRow[],
  signal: AbortSignal | undefined,
): Promise<Map<string, PackTrouble>> {
  const troubles = new Map<string, PackTrouble>();
  for (const pack of packs) {
    throwIfAborted(signal);
    const trouble = await checkSize(vault, index, pack);
    if (trouble) troubles.set(pack.name, trouble);
  }
  return troubles;
}

async function read(
  { read: wish, vault, pool, limit = null, signal, onBytes }: CheckContentOptions,
  {
    index,
    file,
    packs,
    bySize,
  }: { index: LocationTable; file: string; packs: readonly PackRow[]; bySize: ReadonlyMap<string, PackTrouble> },
): Promise<Reading> {
  const there = packs.filter(({ name }) => bySize.get(name)?.lost !== 'all');
  const window =
    typeof wish === 'object'
      ? sampleWindow(
          there.map(({ name }) => name),
          wish.start,
          wish.percent,
        )
      : undefined;
  const chosen = wish === 'none' ? [] : there.filter(({ name }) => !window || isInWindow(name, window));
  const bytesOf = (some: readonly PackRow[]): number => some.reduce((sum, { size }) => sum + size, 0);
  const troubles =
    chosen.length > 0
      ? await readPacks({ vault, pool, index, indexFile: file, packs: chosen, limit, signal, onBytes })
      : [];
  return { troubles, packs: chosen.length, bytes: bytesOf(chosen), ofBytes: bytesOf(packs), window };
}

/** What was read tells more than a size, but of a pack that is gone since. */
function joinVerdicts(bySize: ReadonlyMap<string, PackTrouble>, byReading: readonly PackTrouble[]): PackTrouble[] {
  const all = new Map(bySize);
  for (const trouble of byReading) if (all.get(trouble.pack)?.lost !== 'all') all.set(trouble.pack, trouble);
  return [...all.values()];
}
