import { isError, VhdvaultError } from '../base/errors.ts';
import type { OnLost } from '../point/point-disk.ts';

/** What of a disk no copy in the vault gives. Plain data: each worker sends its own. */
export interface Lost {
  /** Neighbours joined. */
  ranges: { offset: number; length: number }[];
  bytes: number;
  /** Of these, what I/O errors or permissions kept from being read: another time it may be. */
  ioBytes: number;
  /** What was wrong first. */
  cause: string | null;
}

export function nothingLost(): Lost {
  return { ranges: [], bytes: 0, ioBytes: 0, cause: null };
}

/** For a disk of a point: adds to `lost` what cannot be read; where that must not be, throws it with its cure. */
export function lostInto(lost: Lost, bestEffort: boolean): OnLost {
  return (range, problem) => {
    if (!bestEffort) throw withCure(problem);
    append(lost.ranges, range);
    lost.bytes += range.length;
    if (isError(problem, 'IO', 'NO_PERMISSION')) lost.ioBytes += range.length;
    lost.cause ??= problem.message;
  };
}

/** What several found of one disk, in order. Nobody tells of what another one does. */
export function joinLost(parts: readonly Lost[]): Lost {
  const all = nothingLost();
  const ranges = parts.flatMap((part) => part.ranges).sort((a, b) => a.offset - b.offset);
  for (const range of ranges) append(all.ranges, range);
  for (const { bytes, ioBytes, cause } of parts) {
    all.bytes += bytes;
    all.ioBytes += ioBytes;
    all.cause ??= cause;
  }
  return all;
}

/** As they come, since all of a disk may be lost. */
function append(ranges: Lost['ranges'], { offset, length }: Lost['ranges'][number]): void {
  const last = ranges.at(-1);
  if (last && last.offset + last.length === offset) last.length += length;
  else ranges.push({ offset, length });
}

function withCure({ code, message, hint, details, cause }: VhdvaultError): VhdvaultError {
  const cure =
    'until then `restore --best-effort` restores all that can be read, writes zeros for the rest and lists it';
  return new VhdvaultError(code, message, { hint: hint ? `${hint}; ${cure}` : cure, details, cause });
}
