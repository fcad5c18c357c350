/**
 * Waits for all. The first that fails calls `stop`, so that the others end: a worker that dies cannot do it itself. Of
 * several failures the cause is thrown, not the CANCELLED of those that were stopped.
 */
export async function allOrFirstCause<T extends readonly unknown[]>(
  runs: { [K in keyof T]: Promise<T[K]> },
  stop: () => void,
): Promise<T> {
  for (const run of runs) run.catch(stop);
  const results = await Promise.allSettled(runs);
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as { code?: string }] : [],
  );
  const cause = reasons.find(({ code }) => code !== 'CANCELLED') ?? reasons[0];
  if (cause) throw cause;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
