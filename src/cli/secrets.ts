import type { PlainError } from '../base/errors.ts';

const MASK = '***';

/** A shorter secret is masked as a whole word only: "***ne of the key slots" would tell that it is "no". */
const LONG = 6;

/** What must not be printed: passphrases that this run has seen. */
export class Secrets {
  readonly #texts: string[] = [];

  keep(text: string | undefined): void {
    if (text !== undefined && text !== '') this.#texts.push(text);
  }

  redact(text: string): string {
    return this.#texts.reduce((clean, secret) => clean.replaceAll(patternOf(secret), MASK), text);
  }

  /** Only values: a secret that happens to be the word "code" must not break the document. */
  redactError(error: PlainError): PlainError {
    const clean: PlainError = { ...error, message: this.redact(error.message) };
    if (error.hint !== undefined) clean.hint = this.redact(error.hint);
    if (error.stack !== undefined) clean.stack = this.redact(error.stack);
    if (error.details !== undefined) {
      const values = Object.entries(error.details);
      clean.details = Object.fromEntries(
        values.map(([name, value]) => [name, typeof value === 'string' ? this.redact(value) : value]),
      );
    }
    return clean;
  }
}

function patternOf(secret: string): RegExp {
  const literal = secret.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  return new RegExp(secret.length >= LONG ? literal : `(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, 'gu');
}
