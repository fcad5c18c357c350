import { DAY } from '../base/units.ts';
/** So long, in milliseconds, gc spares what was forgotten unless it is told otherwise: `unforget` brings it back (D2). */
export const SOFT_DELETE: number = 14 * DAY;
