import { isUnreadable } from '../base/errors.ts';
import { toHex } from '../base/hex.ts';
import { type CatalogPoint, everyPoint } from '../point/catalog.ts';
import { IdTable } from '../point/id-table.ts';
import { idsIn, walkMap } from '../point/map-walk.ts';
import { PointBlocks } from '../point/point-blocks.ts';
import { type BlockIndex, openSegmentIndex } from '../vault/block-index.ts';
import { isPinned, isSpared, type LoggedPoint, unusablePacks, type Vault, type VaultState } from '../vault/vault.ts';
import { blockedByPoint } from './blocked.ts';
import type { Marks, Sparing } from './mark.ts';
import type { PackFacts } from './pack-table.ts';
import { type ReadOptions, readSegments } from './read-index.ts';
import { viewOf } from './walk-maps.ts';

/**
 * What is needed besides what was marked (D2): asked at every attempt to commit, with the state at n-1. The marks stay; points that
 * are new or spared since are walked, as far as their maps were not, and no pack is given up any more that has a block of theirs. Where
 * others took packs away, nobody knows which copies of a block are left: packs whose blocks were to be had elsewhere stay.
 */
export class Needs {
  readonly marks: Marks;
  readonly #options: { vault: Vault; sparing: Sparing; signal: AbortSignal | undefined };
  /** Of pages and blocks that points need which were not marked. */
  readonly #ids = new IdTable({ numbers: false });
  readonly #spared: Set<string>;
  readonly #lapsed: ReadonlySet<string>;
  /** Packs that have such a block in a frame that is neither kept nor kept elsewhere. */
  readonly #touched = new Set<number>();
  #looked = 0;
  #known: Marks['basis'];
  #othersTook = false;

  constructor(marks: Marks, options: { vault: Vault; sparing: Sparing; signal: AbortSignal | undefined }) {
    this.marks = marks;
    this.#options = options;
    this.#spared = new Set(marks.spared);
    this.#lapsed = new Set(marks.lapsed);
    this.#known = marks.basis;
  }

  /**
   * Of these packs, those without which every point can do that is spared at this state, or came since the mark.
   * @throws GC_BLOCKED where a point that is spared since cannot be read whole; CANCELLED
   */
  async dispensable(state: VaultState, numbers: readonly number[]): Promise<number[]> {
    await this.#catchUp(state);
    return numbers.filter((number) => {
      const { name, status, doubled } = this.marks.packs.packs[number] as PackFacts;
      if (state.condemned.has(name) || this.#touched.has(number)) return false;
      if (status === 'usable' && state.quarantined.has(name)) return false;
      return doubled === 0 || !this.#othersTook;
    });
  }

  /** Points that can be given up: they were not marked, and are not spared at this state. */
  lapsed({ points }: VaultState, ids: readonly string[]): string[] {
    const { now, softDelete } = this.#options.sparing;
    return ids.filter((id) => {
      const point = points.get(id);
      return point !== undefined && !isSpared(point, now, softDelete);
    });
  }

  /** An entry of this run, which was decided with this in sight. */
  committed({ sequence }: { sequence: number }): void {
    this.#known = { ...this.#known, sequence, lastCondemn: sequence };
  }

  async #catchUp(state: VaultState): Promise<void> {
    if (state.sequence === this.#known.sequence) return;
    const { sequence, lastCondemn, lastQuarantine } = state;
    const took = lastCondemn > this.#known.lastCondemn || lastQuarantine > this.#known.lastQuarantine;
    const added = this.#addedPoints(state);
    if (added.length > 0) await this.#walk(state, added);
    if (this.#ids.size > this.#looked) await this.#look(state);
    for (const { logged } of added) this.#spared.add(logged.point);
    this.#othersTook ||= took;
    this.#known = { sequence, lastCondemn, lastQuarantine };
  }

  /**
   * New, unforgotten or pinned since the mark; new ones also where they were forgotten since: this run does not give them up, so they
   * can be brought back. What could not be read whole then must be now, once it is more than soft-deleted.
   */
  #addedPoints({ points }: VaultState): CatalogPoint[] {
    const { vault, sparing } = this.#options;
    const { now, softDelete } = sparing;
    const isAdded = (point: LoggedPoint): boolean => {
      if (this.#spared.has(point.point)) return false;
      if (this.#lapsed.has(point.point) && !isSpared(point, now, softDelete)) return false;
      return !this.marks.doubtful.has(point.point) || !point.forgotten || isPinned(point, now);
    };
    const added = new Set([...points.values()].filter(isAdded).map(({ point }) => point));
    return added.size > 0 ? everyPoint(vault).filter(({ logged }) => added.has(logged.point)) : [];
  }

  async #walk(state: VaultState, points: readonly CatalogPoint[]): Promise<void> {
    const { vault, signal } = this.#options;
    const { store, keys, config } = vault;
    const index = recentFirst(vault, state, this.marks.basis.sequence);
    await using blocks = new PointBlocks({ store, keys, blockSize: config.blockSize, index });
    const { pages, whole } = this.marks;
    // Whole ids: who passes over a page must be sure.
    const walked = new Set<string>();
    const known = (id: Uint8Array): number | undefined => {
      const slot = pages.find(viewOf(id), 0);
      if (pages.isRead(slot) && pages.facts(slot).owner < whole) return 0;
      this.#ids.set(id);
      return walked.size < walked.add(toHex(id)).size ? undefined : 0;
    };
    const visit = (page: Uint8Array, _: Uint8Array, level: number): number => {
      if (level === 0) for (const id of idsIn(page)) this.#ids.set(id);
      return 0;
    };
    for (const point of points) {
      try {
        for (const { root } of point.manifest.disks) await walkMap({ blocks, signal, known, visit }, root);
      } catch (error) {
        throw isUnreadable(error) ? blockedByPoint(vault, point, error) : error;
      }
    }
  }

  /** Looks which packs have the blocks, whatever else has them. */
  async #look(state: VaultState): Promise<void> {
    const { vault, signal } = this.#options;
    const { packs: table } = this.marks;
    const reading: ReadOptions = { vault, table, signal, wants: (number) => !this.#touched.has(number) };
    for await (const { page, numbers } of readSegments(reading, [...state.segments])) {
      for (let n = 0; n < page.count; n++) {
        const number = numbers[page.pack(n)] as number;
        const frame = page.ordinal(n);
        if (number < 0 || this.#touched.has(number) || !table.serves(number, frame)) continue;
        if (table.isKept(number, frame) || table.isDoubled(number, frame)) continue;
        if (this.#ids.get(page.id(n)) !== undefined) this.#touched.add(number);
      }
    }
    this.#looked = this.#ids.size;
  }
}

/** A new point's new pages lie in the newest segments; the others are opened for what is not there. */
function recentFirst({ store, keys }: Vault, state: VaultState, since: number): BlockIndex {
  const unusable = unusablePacks(state);
  const names = state.segments.map(({ segment }) => segment);
  const recent = state.segments.filter(({ sequence }) => sequence > since).map(({ segment }) => segment);
  let [few, all]: (Promise<BlockIndex> | undefined)[] = [];
  const whole = (): Promise<BlockIndex> => (all ??= openSegmentIndex(store, keys, names, unusable));
  return {
    async find(ids) {
      few ??= openSegmentIndex(store, keys, recent, unusable);
      const found = await (await few).find(ids);
      const rest = ids.filter((_, n) => found[n] === undefined);
      const others = rest.length > 0 ? await (await whole()).find(rest) : [];
      return found.map((place) => place ?? others.shift());
    },
    findAll: async (id) => (await whole()).findAll(id),
    async [Symbol.asyncDispose]() {
      for (const index of [few, all]) await (await index?.catch(() => undefined))?.[Symbol.asyncDispose]();
    },
  };
}
