import type { VaultSession } from '../jobs/session.ts';
import type { Watchable } from '../jobs/types.ts';
import type { Run } from './command.ts';
import { type DisplayArguments, openDisplay } from './display.ts';
import { openSession, type VaultArguments } from './session.ts';

/** Opens display and vault, does `job`, and closes both, whatever happens. */
export async function inVault<R>(
  args: VaultArguments & DisplayArguments,
  run: Run,
  job: (session: VaultSession, watch: Required<Watchable>) => Promise<R>,
): Promise<R> {
  using display = await openDisplay(args, run);
  await using session = await openSession(args, run, display.onNotice);
  return await job(session, { signal: run.signal, onProgress: display.onProgress });
}
