import { describe, expect, it } from 'vitest';
import { paint } from '../../src/report/look.ts';
import { oneLine, printable, printableJson } from '../../src/report/printable.ts';
import { problemText } from '../../src/report/problem-text.ts';

const COLORED = { color: true, now: 0 };
const PLAIN = { color: false, now: 0 };
const STYLES = ['bold', 'dim', 'red', 'yellow', 'green', 'cyan'] as const;

/** What a terminal, or who reads it, would take for something else than text. */
const HOSTILE: readonly (readonly [what: string, text: string])[] = [
  ['a title', '\x1b]0;owned\x07'],
  ['a cleared screen', '\x1b[2J\x1b[H'],
  ['a question that the terminal answers', '\x1b[6n\x1bP$qm\x1b\\'],
  ['a color that is not ours', '\x1b[38;5;1m\x1b[8m\x1b[1;31m'],
  ['a line written again', 'damage\r      \b\b'],
  ['a sequence of C1', '\x9b2J\x9d0;owned\x9c'],
  ['writing turned round', 'fdp\u202etxt.\u2066\u2069\u061c'],
  ['other ends of lines', 'a\u2028b\u2029c\x0bd\x0c\x85'],
  ['what is deleted', '\x7f\x00'],
];
/** Letters, marks, digits, signs and spaces, line breaks and tabs: nothing that a terminal would obey. */
const TEXT = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}\n\t]*$/u;

describe('a text for people', () => {
  it.each(HOSTILE)('shows %s as signs, of the same length', (_, text) => {
    for (const look of [COLORED, PLAIN]) {
      const shown = printable(text, look);
      expect(shown).toMatch(TEXT);
      expect(shown).toHaveLength(text.length);
    }
  });

  it('names the controls that everybody knows, and leaves letters of all languages, line breaks and tabs alone', () => {
    expect(printable('\x1b[2J\r\x7f\x9b', PLAIN)).toBe('␛[2J␍␡\ufffd');
    for (const text of ['Übergröße 字 قرص 💾 é\n\tnext', '▁█░ 3 %']) expect(printable(text, COLORED)).toBe(text);
  });

  it('keeps our own colours where the look has them, and none where it has not', () => {
    for (const style of STYLES) {
      const text = paint(COLORED, style, 'word');
      expect(text).toContain('\x1b[');
      expect(printable(text, COLORED)).toBe(text);
      expect(printable(text, PLAIN)).not.toContain('\x1b');
    }
  });
});

describe('a value in one line', () => {
  it.each(HOSTILE)('shows %s as signs', (_, text) => {
    expect(oneLine(text)).toMatch(TEXT);
  });

  it('does not look like two', () => {
    expect(oneLine('disk\nvhdvault: all is well\t!')).toBe('disk␊vhdvault: all is well␉!');
    const problem = { code: 'NOT_FOUND', message: 'a\nb', hint: 'c\nd', details: {} } as const;
    expect(problemText(problem, PLAIN).split('\n')).toEqual(['vhdvault: a␊b [NOT_FOUND]', 'c␊d']);
  });
});

describe('a JSON document', () => {
  it.each(HOSTILE)('has %s escaped, and reads as the same value', (_, text) => {
    const json = printableJson({ [text]: [text, 'plain'] });
    expect(json).toMatch(TEXT);
    expect(json).not.toContain('\n');
    expect(JSON.parse(json)).toEqual({ [text]: [text, 'plain'] });
  });
});
