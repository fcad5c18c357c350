import type { Look } from './look.ts';

/*
 * Names of files, notes, what hooks print and what images say of themselves are data of strangers: on a terminal, an
 * escape sequence in them could rewrite what stands there, or its title, or type for the user.
 */

/** The sequences that `paint` writes. */
const COLOR = '\\x1b\\[(?:1|2|22|3[1236]|39)m';
/** Controls of C0 and C1 but newline and tab; line separators; what turns the direction of writing. */
const UNSAFE = '[^\\P{Cc}\\n\\t]|[\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]';
const COLOR_OR_UNSAFE = new RegExp(`${COLOR}|${UNSAFE}`, 'gu');
const UNSAFE_OR_BREAK = new RegExp(`${UNSAFE}|[\\n\\t]`, 'gu');
/** Those of C0 are escaped already. */
const UNSAFE_IN_JSON = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

/** A whole text as it may be printed: what is not text, a line break or our own colour is shown as one sign, `␛` for ESC. */
export function printable(text: string, { color }: Pick<Look, 'color'>): string {
  return text.replace(COLOR_OR_UNSAFE, (found) => (found.length > 1 && color ? found : signOf(found)));
}

/** The same of a value that stands in one line: it must not look like two. */
export function oneLine(value: string): string {
  return value.replace(UNSAFE_OR_BREAK, signOf);
}

/** One JSON document. Programs read the same values, and a terminal obeys none of them. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    UNSAFE_IN_JSON,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Of the length of what it stands for, so that columns stay where they are; an escape sequence keeps its harmless rest. */
function signOf(found: string): string {
  const code = found.charCodeAt(0);
  const sign = code < 0x20 ? String.fromCharCode(0x2400 + code) : code === 0x7f ? '␡' : '\ufffd';
  return sign + found.slice(1);
}
