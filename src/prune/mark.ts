import { isError, VhdvaultError } from '../base/errors.ts';
import { fromHex } from '../base/hex.ts';
import { MIB } from '../base/units.ts';
import { isZeroId, LEVELS } from '../disk/block-map.ts';
import { type CatalogPoint, everyPoint } from '../point/catalog.ts';
import { FRAME_KINDS } from '../vault/block-index.ts';
import { type AddedSegment, isPinned, isSpared, type Vault } from '../vault/vault.ts';
import { blockedByOthers, blockedByPoint } from './blocked.ts';
import { IdMarks } from './id-marks.ts';
import { type IdRange, rangesOf, takeInventory } from './inventory.ts';
import { whileOthersMove } from './moved-on.ts';
import { PackTable } from './pack-table.ts';
import { PageMarks } from './page-marks.ts';
import { type ReadOptions, readSegments } from './read-index.ts';
import { viewOf, walkMaps } from './walk-maps.ts';

/** Which points a gc keeps: the same from its beginning to its end, whatever becomes of the clock meanwhile. */
export interface Sparing {
  /** Milliseconds since 1970 UTC, by the log's clock. */
  now: number;
  /** For so many milliseconds after they were forgotten. */
  softDelete: number;
}

export interface MarkOptions extends Sparing {
  vault: Vault;
  /** Ids of blocks in memory at a time; by default as many as fit. More are marked in several passes. */
  idsPerPass?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Bytes of the index that were gone through, of about how many. */
  onBytes?: ((done: number, total: number) => void) | undefined;
}

/** What the points need, as of one state of the log. */
export interface Marks {
  /** Number of that state's newest entry, and of those that took packs away last. */
  basis: { sequence: number; lastCondemn: number; lastQuarantine: number };
  packs: PackTable;
  /** Of the maps of all points that were marked. */
  pages: PageMarks;
  /** Owners of pages below this are points of which every page was read. */
  whole: number;
  /** Ids of the points that were marked whole; of soft-deleted ones that may not have been; of those that can be given up. */
  spared: Set<string>;
  doubtful: Set<string>;
  lapsed: string[];
  /** Something that points need lies in no pack: one that is quarantined may turn out to have it. */
  isLacking: boolean;
  /** What of soft-deleted points could not be read, and so is not kept. */
  warnings: string[];
}

/** Memory for ids: with all else of a process it stays well under half a gigabyte. */
const MEMORY = 256 * MIB;
const BYTES_OF_PAGE = 19;
const BYTES_OF_ID = 5;
const LEAST_IDS = 1_000_000;
/** How often the index is gone through, as a rule. */
const ROUNDS = 7;

/** How often a mark begins anew because others take packs away. */
const MOST_TRIES = 5;

/**
 * Marks what points need (D2): all packs of the live segments, and which frames of them hold a block or page that a point which is
 * not given up needs. Of equal blocks one is kept, that of the newest segment. Nothing but log, segments and map pages is
 * believed, and all of them are checked.
 * @throws GC_BLOCKED where a segment, or a page of a live point, cannot be read; CANCELLED
 */
export async function mark(options: MarkOptions): Promise<Marks> {
  const { vault } = options;
  for (let tries = 1; ; tries++) {
    const marks = await whileOthersMove(vault, () => markOnce(options));
    if (marks.warnings.length === 0) return marks;
    // What could not be read of a forgotten point may have moved only.
    await vault.refreshWhole();
    if (vault.state.lastCondemn === marks.basis.lastCondemn) return marks;
    if (tries === MOST_TRIES) throw blockedByOthers();
  }
}

async function markOnce(options: MarkOptions): Promise<Marks> {
  const { vault, signal } = options;
  const { state } = vault;
  const basis = { sequence: state.sequence, lastCondemn: state.lastCondemn, lastQuarantine: state.lastQuarantine };
  const segments = state.segments.toReversed();
  const unusable = { condemned: new Map(state.condemned), quarantined: new Map(state.quarantined) };
  const { live, deleted, lapsed } = sortPoints(options);
  const packs = new PackTable();
  const reading: ReadOptions = { vault, table: packs, signal, onBytes: bytesOf(segments, options.onBytes) };
  const inventory = await takeInventory(reading, segments.toReversed(), unusable);
  const pages = new PageMarks(inventory.pages);
  const points = [...live, ...deleted];
  const marking: Marking = {
    ...{ reading, segments, pages, points, live: live.length },
    ...{ lost: new Map(), lacking: new Set() },
  };
  const most = Math.max(LEAST_IDS, Math.floor((MEMORY - inventory.pages * BYTES_OF_PAGE) / BYTES_OF_ID));
  for (const [n, range] of rangesOf(inventory, options.idsPerPass ?? most).entries())
    await markRange(marking, range, n === 0);
  // Another forgotten point may have the page that is lost, too.
  const whole = marking.lost.size > 0 ? live.length : points.length;
  const ids = points.map(({ logged }) => logged.point);
  return {
    ...{ basis, packs, pages, lapsed, whole },
    spared: new Set(ids.slice(0, whole)),
    doubtful: new Set(ids.slice(whole)),
    isLacking: marking.lost.size + marking.lacking.size > 0,
    warnings: warningsOf(marking),
  };
}

/** Live points, and pinned ones, must be whole; soft-deleted ones are kept as far as they can be read. */
function sortPoints({ vault, now, softDelete }: MarkOptions): {
  live: CatalogPoint[];
  deleted: CatalogPoint[];
  lapsed: string[];
} {
  const sorted = { live: [] as CatalogPoint[], deleted: [] as CatalogPoint[], lapsed: [] as string[] };
  for (const point of everyPoint(vault)) {
    const { logged } = point;
    if (!isSpared(logged, now, softDelete)) sorted.lapsed.push(logged.point);
    else if (!logged.forgotten || isPinned(logged, now)) sorted.live.push(point);
    else sorted.deleted.push(point);
  }
  return sorted;
}

interface Marking {
  reading: ReadOptions;
  /** Newest first. */
  segments: readonly AddedSegment[];
  pages: PageMarks;
  /** Live ones first; their place is what pages know their owner by. */
  points: readonly CatalogPoint[];
  live: number;
  /** Soft-deleted points of which something could not be read, and why. */
  lost: Map<number, VhdvaultError | undefined>;
  /** Points that need blocks which no pack holds. */
  lacking: Set<number>;
}

/** Marks the blocks of a range, and with the first one all pages. */
async function markRange(marking: Marking, range: IdRange, isFirst: boolean): Promise<void> {
  const { reading, segments, pages, points, live } = marking;
  const { table } = reading;
  const ids = new IdMarks(range.blocks, range.low, range.high);
  for await (const { page, numbers } of readSegments(reading, segments)) {
    for (let n = 0; n < page.count; n++) {
      if (!table.serves(numbers[page.pack(n)] as number, page.ordinal(n))) continue;
      if (page.kind(n) !== FRAME_KINDS.page) ids.add(page.view, page.at(n));
      else if (isFirst) pages.add(page.view, page.at(n));
    }
  }
  const onBlock = (page: DataView, at: number, owner: number): void => {
    const slot = ids.find(page, at);
    if (slot >= 0) ids.need(slot);
    else if (ids.isInRange(page, at)) marking.lacking.add(owner);
  };
  const onLost = (owner: number, problem: VhdvaultError | undefined): void => {
    // What cannot be read now may be there again when a forgotten point is brought back.
    const isForever = problem === undefined || isError(problem, 'VAULT_DAMAGED');
    if (owner < live || !isForever) {
      throw blockedByPoint(reading.vault, points[owner] as CatalogPoint, problem ?? IN_NO_PACK);
    }
    marking.lost.set(owner, problem);
  };
  const walk = { reading, segments, pages, onBlock, onLost };
  if (isFirst) {
    for (const [owner, point] of points.entries()) {
      if (owner === live) await walkMaps(walk);
      reachRoots(pages, point, owner, onLost);
    }
  } else pages.forgetLeaves();
  await walkMaps(walk);
  await placeAll(marking, ids, isFirst);
}

function reachRoots(
  pages: PageMarks,
  { manifest }: CatalogPoint,
  owner: number,
  onLost: (owner: number, problem: undefined) => void,
): void {
  for (const { root } of manifest.disks) {
    const id = fromHex(root);
    if (isZeroId(id)) continue;
    const slot = pages.find(viewOf(id), 0);
    if (slot < 0) onLost(owner, undefined);
    else pages.reach(slot, LEVELS - 1, owner);
  }
}

/**
 * Finds a place for every block and page that is needed: in a usable pack, and only where none has it in quarantined ones, of which
 * none may be given up then.
 */
async function placeAll({ reading, segments, pages }: Marking, ids: IdMarks, withPages: boolean): Promise<void> {
  const { table } = reading;
  const place = async (status: 'usable' | 'quarantined'): Promise<void> => {
    const wants = (number: number): boolean => table.packs[number]?.status === status;
    if (!table.packs.some((pack) => pack.status === status)) return;
    for await (const { page, numbers } of readSegments({ ...reading, wants }, segments)) {
      for (let n = 0; n < page.count; n++) {
        const number = numbers[page.pack(n)] as number;
        const frame = page.ordinal(n);
        if (!wants(number) || !table.serves(number, frame)) continue;
        const isPage = page.kind(n) === FRAME_KINDS.page;
        const marks = isPage ? pages : ids;
        const slot = marks.find(page.view, page.at(n));
        if (isPage ? !withPages || !pages.isReached(slot) : !ids.isNeeded(slot)) continue;
        const isNew = status === 'usable' ? marks.place(slot) : !marks.isPlaced(slot);
        if (isNew) table.keep(number, frame, page.storedLength(n));
        else table.double(number, frame);
      }
    }
  };
  await place('usable');
  await place('quarantined');
}

const IN_NO_PACK = new VhdvaultError('VAULT_DAMAGED', 'a page of its block map is in no pack of the vault');

function warningsOf({ points, lost, lacking }: Marking): string[] {
  const warnings = [...lost].map(([owner, why]) => {
    const what = (why ?? IN_NO_PACK).message;
    return `${nameOf(points[owner] as CatalogPoint)}, which is forgotten, cannot be read whole (${what}): what else it needs may be freed, and it could not be brought back whole`;
  });
  const [first] = lacking;
  if (first === undefined) return warnings;
  const others = lacking.size > 1 ? ` and ${lacking.size - 1} more` : '';
  const what = `${nameOf(points[first] as CatalogPoint)}${others}: blocks that are needed lie in no pack of the vault`;
  return [...warnings, `${what}; run \`vhdvault verify\``];
}

function nameOf({ id, manifest }: CatalogPoint): string {
  return `${manifest.item}@${id}`;
}

/** Counts what is read of the index; of how much is a guess. */
function bytesOf(
  segments: readonly AddedSegment[],
  tell: MarkOptions['onBytes'],
): ((bytes: number) => void) | undefined {
  if (!tell) return undefined;
  const total = ROUNDS * segments.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  return (bytes) => {
    done += bytes;
    tell(Math.min(done, total), total);
  };
}
