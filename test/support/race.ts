import { VhdvaultError } from '../../src/base/errors.ts';
import type { Store } from '../../src/vault/store/store.ts';
import { steppedStore } from './stepped-store.ts';

/** Lets something happen right before the k-th operation of a store. */
export interface Race {
  /** Every operation, in words. */
  log: string[];
  hit: boolean;
  /** The operation before which it happened. */
  what: string;
  wrap(store: Store): Store;
}

/** k counts from 1. Operations of what happens go through uncounted; with k = 0 nothing happens. */
export function raceAt(k: number, happens: () => Promise<unknown>): Race {
  const race: Race = { log: [], hit: false, what: '', wrap: (store) => steppedStore(store, step) };
  let isInside = false;

  async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
    if (isInside) return await work();
    race.log.push(what);
    if (race.log.length === k) {
      race.hit = true;
      race.what = what;
      isInside = true;
      try {
        await happens();
      } finally {
        isInside = false;
      }
    }
    return await work();
  }
  return race;
}

/** Lets something happen right before the first operation of this kind. */
export function happensBefore(
  isKind: (what: string) => boolean,
  happens: () => Promise<unknown>,
): (store: Store) => Store {
  let state: 'before' | 'inside' | 'after' = 'before';
  return (store) =>
    steppedStore(store, async (what, work) => {
      if (state === 'before' && isKind(what)) {
        state = 'inside';
        await happens();
        state = 'after';
      }
      return await work();
    });
}

/** A store that dies, for whoever has it open, before the first operation of this kind. */
export function diesBefore(kind: string): (store: Store) => Store {
  let isDead = false;
  return (store) =>
    steppedStore(store, async (what, work) => {
      isDead ||= what.startsWith(kind);
      if (isDead) throw new VhdvaultError('IO', `dead since ${kind}: ${what}`);
      return await work();
    });
}

/** As another machine that sees no lock of this one. */
export function withoutLocks(store: Store): Store {
  const at = (path: string): string => path.replace(/^locks(?=\/|$)/, 'other-locks');
  return {
    ...store,
    get: (path) => store.get(at(path)),
    size: (path) => store.size(at(path)),
    list: (folder) => store.list(at(folder)),
    create: (path) => store.create(at(path)),
    link: (from, to) => store.link(at(from), at(to)),
    rename: (from, to) => store.rename(at(from), at(to)),
    remove: (path) => store.remove(at(path)),
    syncFolder: (path) => store.syncFolder(at(path)),
  };
}
