/** Frames of a pack that cannot be read, by their numbers. */
export type BadFrames = readonly number[] | 'all';

export function inEither(one: BadFrames, other: BadFrames): BadFrames {
  if (one === 'all' || other === 'all') return 'all';
  return [...new Set([...one, ...other])].sort((a, b) => a - b);
}

export function inBoth(one: BadFrames, other: BadFrames): BadFrames {
  if (one === 'all') return other;
  if (other === 'all') return one;
  return one.filter((frame) => other.includes(frame));
}
