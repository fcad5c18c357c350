/** Waits for all; of several failures, the one that made the others stop is thrown: they end with CANCELLED. */
export async function allOrFirstCause<T>(runs: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(runs);
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as { code?: string }] : [],
  );
  const cause = reasons.find(({ code }) => code !== 'CANCELLED') ?? reasons[0];
  if (cause) throw cause;
  return results.map((result) => (result as PromiseFulfilledResult<T>).value);
}
