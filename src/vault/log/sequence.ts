const NAME = /^\d{20}$/;

/** What the file of entry n is called, and that of the checkpoint after it. */
export function sequenceName(n: number): string {
  return String(n).padStart(20, '0');
}

/** The numbers among names of log/ or ckpt/, the lowest first; other names are of strangers. */
export function sequencesIn(names: readonly string[]): number[] {
  return names
    .filter((name) => NAME.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}
