import { isError, VhdvaultError } from '../base/errors.ts';
import type { Store } from '../vault/open-store.ts';
import { checkReserve, RESERVE_PATH, writeReserve } from '../vault/reserve.ts';
import type { Vault } from '../vault/vault.ts';

/**
 * The file that a vault has for a full disk: whoever writes what frees more (a forget, a gc) deletes it, and a gc makes it again (D7).
 */
export interface Reserve {
  /** Does what must be done on a full disk too: where it fails for lack of space, the reserve goes, and it is done again. */
  firstOfAll<T>(work: () => Promise<T>): Promise<T>;
  /** Makes it anew where it is missing or wrong; returns what kept it from that: NO_SPACE where there is room for a smaller one only. */
  restore(signal: AbortSignal | undefined): Promise<VhdvaultError | undefined>;
  readonly wasUsed: boolean;
}

export function openReserve({ store, config }: Vault): Reserve {
  let wasUsed = false;
  async function free(): Promise<boolean> {
    if (!(await store.size(RESERVE_PATH))) return false;
    await store.remove(RESERVE_PATH);
    await store.syncFolder('.');
    wasUsed = true;
    return true;
  }
  return {
    get wasUsed() {
      return wasUsed;
    },
    async firstOfAll(work) {
      try {
        return await work();
      } catch (error) {
        if (!isError(error, 'NO_SPACE') || !(await free())) throw error;
        return await work();
      }
    },
    async restore(signal) {
      const trouble = await checkReserve(store, config.reserve, { signal });
      if (!trouble) return undefined;
      if (trouble.unread !== null) return new VhdvaultError('IO', `the reserve ${trouble.what}`);
      const there = (await store.size(RESERVE_PATH)) ?? 0;
      const room = await store.free();
      if (room === undefined || room + there >= config.reserve) return await make(store, config.reserve, there);
      // The next backup would fill the room, and then there would be none for a forget, nor for a gc: for ever.
      const size = Math.floor((room + there) * SHARE);
      const problem = size > there ? await make(store, size) : undefined;
      if (problem) return problem;
      const what = `the reserve has no room: ${Math.max(size, there)} of ${config.reserve} bytes are set aside`;
      return new VhdvaultError('NO_SPACE', what);
    },
  };
}

/** Of the room that there is; the rest is for the file system's own needs, and for whoever writes meanwhile. */
const SHARE = 0.95;

/** Where there is less room than it looked, a smaller one is made, of at least `least` bytes if these fit. */
async function make(store: Store, size: number, least = 0): Promise<VhdvaultError | undefined> {
  try {
    await store.remove(RESERVE_PATH);
    await writeReserve(store, size);
    await store.syncFolder('.');
    return undefined;
  } catch (error) {
    // Another gc makes it.
    if (isError(error, 'TARGET_EXISTS')) return undefined;
    if (!isError(error, 'NO_SPACE', 'IO', 'NO_PERMISSION')) throw error;
    const written = (await store.size(RESERVE_PATH).catch(() => undefined)) ?? 0;
    await store.remove(RESERVE_PATH).catch(() => undefined);
    const smaller = Math.max(least, Math.floor(written * SHARE));
    if (error.code === 'NO_SPACE' && smaller > 0 && smaller < size) await make(store, smaller);
    return new VhdvaultError(error.code, `the reserve could not be made: ${error.message}`, { cause: error });
  }
}
