import fc from 'fast-check';

/** The 32-bit words of an id, of which there are eight. */
export type IdWords = readonly number[];

/** As ids are written: the most significant byte first. */
export function idOfWords(words: IdWords): Uint8Array {
  const id = new Uint8Array(32);
  const view = new DataView(id.buffer);
  for (const [n, word] of words.entries()) view.setUint32(4 * n, word, false);
  return id;
}

export function viewOfWords(words: IdWords): DataView {
  return new DataView(idOfWords(words).buffer);
}

/** First words: beside one another, at both ends, so that chains grow into each other and wrap. */
export const FIRST: readonly number[] = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_fffd, 0xffff_fffe, 0xffff_ffff];

/** Words that are special to somebody: nothing, its neighbour, the sign, the end. */
export const WORDS: readonly number[] = [0, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export function oneOf(words: readonly number[]): fc.Arbitrary<number> {
  return fc.constantFrom(...words);
}
