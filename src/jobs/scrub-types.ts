import type { Finding } from '../base/finding.ts';
import type { ScrubCounts } from '../verify/scrub-vault.ts';
import type { SessionParts } from './session.ts';
import type { Watchable } from './types.ts';

/** How to scrub a vault. No key is needed. */
export interface ScrubOptions extends Watchable {
  /** Worker threads, at least 1; default the number of cores. */
  threads?: number;
  /** @internal For tests: other parts than the real ones. */
  parts?: Pick<SessionParts, 'store' | 'pool' | 'clock'>;
}

/** What a scrub found. */
export interface ScrubResult {
  /** Nothing is damaged, as far as can be told without a key. */
  ok: boolean;
  /** Counts of the files that were looked at, and bytes of those that are named by their bytes. */
  checked: ScrubCounts;
  /** What was noticed. Which points it hits, only `verify` can tell. */
  findings: Finding[];
  /** From beginning to end. */
  seconds: number;
}
