import { stripVTControlCharacters } from 'node:util';

/** Of what a hook prints, in bytes; a manifest takes 4,096 of text. */
const MOST = 3500;
/** Held back to choose from: what is cut off its front must not begin in the middle of a secret. */
const HELD = 16_384;
/** Dropped after masking where no line ends: longer than what a secret may have left at the front. */
const FRONT = 1024;
const NEWLINE = 0x0a;

/** The end of what a hook prints, in bounded memory, however much that is. */
export class HookOutput {
  readonly #buffer = Buffer.alloc(2 * HELD);
  #used = 0;
  #total = 0;

  add(chunk: Uint8Array): void {
    const end = chunk.subarray(-HELD);
    if (this.#used + end.length > this.#buffer.length) {
      this.#buffer.copyWithin(0, this.#used - HELD, this.#used);
      this.#used = HELD;
    }
    this.#buffer.set(end, this.#used);
    this.#used += end.length;
    this.#total += chunk.length;
  }

  /** For people and terminals: masked, without control characters, and told where its beginning is missing. */
  text(redact: (text: string) => string): string {
    const held = this.#buffer.subarray(Math.max(0, this.#used - HELD), this.#used);
    const lost = this.#total - held.length;
    const masked = redact(new TextDecoder().decode(held));
    const bytes = Buffer.from(printable(lost > 0 ? withoutFront(masked) : masked));
    const start = cutOf(bytes);
    const text = bytes.subarray(start).toString().trimEnd();
    if (lost === 0 && start === 0) return text;
    return `... ${this.#total - (bytes.length - start)} bytes before this are not kept\n${text}`;
  }
}

/** The last line that says something, or empty. */
export function lastLine(output: string): string {
  return output.slice(output.lastIndexOf('\n') + 1).trim();
}

function withoutFront(text: string): string {
  const line = text.indexOf('\n');
  return text.slice(line < 0 || line === text.length - 1 ? FRONT : line + 1);
}

/** Escape sequences go; what is no text, or could move a cursor or turn the direction of writing, becomes one byte, so that nothing grows. */
function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\n\t]|[\u2028-\u202e\u2066-\u2069\ufffd]/gu, '?');
}

/** Where the last bytes begin: at a line, or where the last line is too long, at a character. */
function cutOf(bytes: Buffer): number {
  if (bytes.length <= MOST) return 0;
  const start = bytes.length - MOST;
  const line = bytes.indexOf(NEWLINE, start - 1) + 1;
  return line > 0 && line < bytes.length ? line : characterFrom(bytes, start);
}

/** The first byte from `start` on at which a character of UTF-8 may begin. */
function characterFrom(bytes: Buffer, start: number): number {
  let at = start;
  while (at < start + 3 && ((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return at;
}
