import { VhdvaultError } from '../base/errors.ts';
import { createRateLimit, type RateLimit } from '../pool/rate-limit.ts';
import type { Throttled } from './types.ts';

/** The limit that all threads of a run share. @throws USAGE */
export function rateLimitOf({ limitRate }: Throttled): RateLimit | null {
  if (limitRate === undefined || (limitRate >= 1 && limitRate < Infinity)) return createRateLimit(limitRate);
  throw new VhdvaultError('USAGE', `${limitRate} bytes per second is no rate`, { hint: 'give 1 or more' });
}
