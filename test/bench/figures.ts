/** What one measured step of one program took. Bytes. */
export interface Figure {
  seconds: number;
  /** Of anonymous memory. */
  peak?: number;
  /** By how much the repository grew. */
  stored?: number;
}

/** On what, by whom, and what was done. */
export interface Key {
  disk: string;
  who: string;
  what: string;
}

/** All that a run measured: a list for each key, one figure per round. */
export type Figures = Map<string, Figure[]>;

export function record(figures: Figures, key: Key, figure: Figure): void {
  const list = figures.get(textOf(key));
  if (list) list.push(figure);
  else figures.set(textOf(key), [figure]);
}

/** The median of all rounds; undefined where nothing was measured. */
export function medianOf(figures: Figures, key: Key, field: keyof Figure = 'seconds'): number | undefined {
  const values = (figures.get(textOf(key)) ?? []).flatMap((figure) => figure[field] ?? []);
  return values.length > 0 ? median(values) : undefined;
}

/** The largest of all rounds. */
export function largestOf(figures: Figures, key: Key, field: keyof Figure): number | undefined {
  const values = (figures.get(textOf(key)) ?? []).flatMap((figure) => figure[field] ?? []);
  return values.length > 0 ? Math.max(...values) : undefined;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] as number;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2;
}

function textOf({ disk, who, what }: Key): string {
  return `${disk}\n${who}\n${what}`;
}

/** The largest peak of anonymous memory that each step of a program came to. */
export function peaksOf(figures: Figures, program: string): { disk: string; what: string; peak: number }[] {
  return [...figures].flatMap(([text, list]) => {
    const [disk, who, what] = text.split('\n') as [string, string, string];
    const peaks = list.flatMap(({ peak }) => peak ?? []);
    return who === program && peaks.length > 0 ? [{ disk, what, peak: Math.max(...peaks) }] : [];
  });
}
