import type { VaultSession } from '../jobs/session.ts';
import type { Watchable } from '../jobs/types.ts';
import type { Pool, Worker } from '../pool/pool.ts';
import type { Run } from './command.ts';
import { type DisplayArguments, openDisplay } from './display.ts';
import { openSession, type VaultArguments } from './session.ts';

/** What a command needs, and can be made ready while the key is derived from the passphrase. */
interface Needs<M> {
  /** Imports the module of the job. */
  load: () => Promise<M>;
  /** What threads are to do first, if anything. */
  worker?: Worker;
}

/** Opens display and vault, does `job` with what was loaded, and closes both, whatever happens. */
export async function inVault<M, R>(
  args: VaultArguments & DisplayArguments,
  run: Run,
  { load, worker }: Needs<M>,
  job: (module: M, session: VaultSession, watch: Required<Watchable>) => Promise<R>,
): Promise<R> {
  let loading: Promise<M> | undefined;
  const meanwhile = (pool: Pool): void => {
    if (worker) pool.prepare(worker);
    loading ??= load();
  };
  using display = await openDisplay(args, run);
  await using session = await openSession(args, run, { onNotice: display.onNotice, meanwhile });
  meanwhile(session.pool);
  return await job(await (loading as unknown as Promise<M>), session, {
    signal: run.signal,
    onProgress: display.onProgress,
  });
}
