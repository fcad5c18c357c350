import { VhdvaultError } from './errors.ts';

/** The last option of every public async function. */
export interface Cancellable {
  /** When it fires, what runs ends with CANCELLED, as soon as it can do so without leaving anything half done. */
  signal?: AbortSignal;
}

/** Throws CANCELLED when the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    const reason = signal.reason as { message?: string } | undefined;
    throw new VhdvaultError('CANCELLED', `cancelled${reason?.message ? `: ${reason.message}` : ''}`);
  }
}
