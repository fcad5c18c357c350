import { isError, VhdvaultError } from '../base/errors.ts';

/** Of a disk that only a fixed image can hold: the library names an option of `vhd convert` as the cure, others have their own. */
export function withFixedCure(error: unknown, cure: string): unknown {
  if (!isError(error, 'VHD_TOO_LARGE') || !error.hint?.includes('--format fixed')) return error;
  return new VhdvaultError(error.code, error.message, { hint: cure, details: error.details, cause: error });
}
