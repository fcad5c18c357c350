import { isError } from '../base/errors.ts';
import type { Vault } from '../vault/vault.ts';

/** How often a step begins anew because others moved or deleted meanwhile what it was to read. */
const MOST_TRIES = 5;

/**
 * Does what reads live segments, and packs that they list. Another gc may drop and delete them in the meantime, by right: where
 * something cannot be read and the log went on, it is done once more with the newer state.
 * @throws GC_BLOCKED
 */
export async function whileOthersMove<T>(vault: Vault, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const at = vault.state.sequence;
    try {
      return await work();
    } catch (error) {
      if (!isError(error, 'GC_BLOCKED') || tries === MOST_TRIES || !(await wentOn(vault, at))) throw error;
    }
  }
}

/** The same for what is decided for a commit, which asks again by itself: then what is answered now does not matter. */
export async function orAgain<T>(vault: Vault, decide: () => Promise<T>): Promise<T | null> {
  const at = vault.state.sequence;
  try {
    return await decide();
  } catch (error) {
    if (!isError(error, 'GC_BLOCKED') || !(await wentOn(vault, at))) throw error;
    return null;
  }
}

/** Whether the log is longer than it was. */
async function wentOn(vault: Vault, since: number): Promise<boolean> {
  await vault.refreshWhole();
  return vault.state.sequence > since;
}
