const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * Draws shares (0 to 1) of equal slices of a disk as a row of bars, at most `columns` wide. The lowest bar means that
 * nothing changed there: the smallest change is drawn one step higher, so that it is seen.
 */
export function stripText(shares: readonly number[], columns = 32): string {
  const width = Math.min(columns, shares.length);
  let text = '';
  for (let column = 0; column < width; column++) {
    const from = Math.floor((column * shares.length) / width);
    const to = Math.floor(((column + 1) * shares.length) / width);
    const slice = shares.slice(from, to);
    const mean = slice.reduce((sum, share) => sum + share, 0) / slice.length;
    text += LEVELS[Math.min(LEVELS.length - 1, Math.ceil(mean * (LEVELS.length - 1)))];
  }
  return text;
}
