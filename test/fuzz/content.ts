import { isError } from '../../src/image/vhd-parser.ts';
import type { Draw } from './draw.ts';

/** Up to this an image is read whole; of larger ones the ends and a few places between. */
export const WHOLE: number = 512 * 1024;
const WINDOW = 32 * 1024;
/** Against which the time stamps of images are held. */
export const NOW: number = Date.UTC(2026, 0, 1);

/** What a disk reads as: some ranges of it. Null where it was refused, by `code`. */
export interface Content {
  code: string | null;
  size: number;
  windows: { offset: number; bytes: Uint8Array }[];
}

export function windowsOf(size: number, draw: Draw): { offset: number; length: number }[] {
  if (size <= WHOLE) return [{ offset: 0, length: size }];
  const offsets = [0, size - WINDOW, draw.below(size - WINDOW), Math.floor(draw.below(size - WINDOW) / 512) * 512];
  return offsets.map((offset) => ({ offset, length: WINDOW }));
}

/** The code of an error; one without a type, or of a bug, is a trouble. */
export function typed(error: unknown, doing: string, troubles: string[]): string {
  if (isError(error) && error.code !== 'BUG') {
    if (error.message === '') troubles.push(`${doing}: ${error.code} without a message`);
    return error.code;
  }
  troubles.push(`${doing}: ${describe(error)}`);
  return 'BUG';
}

export function describe(error: unknown): string {
  if (isError(error)) return `${error.code} (${error.message})`;
  return error instanceof Error ? (error.stack ?? String(error)) : String(error);
}
