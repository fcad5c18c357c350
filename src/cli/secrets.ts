import type { PlainError } from '../base/errors.ts';

const MASK = '***';

/** What must not be printed: passphrases that this run has seen. */
export class Secrets {
  readonly #texts: string[] = [];

  keep(text: string | undefined): void {
    if (text !== undefined && text !== '') this.#texts.push(text);
  }

  redact(text: string): string {
    return this.#texts.reduce((clean, secret) => clean.replaceAll(secret, MASK), text);
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
