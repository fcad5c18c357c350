/** A table; one letter of `align` per column, `l` or `r`. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[], align = ''): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, n) => (align[n] === 'r' ? '---:' : '---'));
  return [line(head), line(rule), ...rows.map(line)];
}

export function secondsText(value: number | undefined): string {
  return value === undefined ? '' : value.toFixed(2);
}

export function megabytes(value: number | undefined): string {
  if (value === undefined) return '';
  return `${value < 100e6 ? (value / 1e6).toFixed(1) : Math.round(value / 1e6)} MB`;
}

export function mebibytes(value: number | undefined): string {
  return value === undefined ? '' : `${Math.round(value / 2 ** 20)} MiB`;
}

/** `text`, and in brackets how many times as much as `own` it is. */
export function besides(text: string, value: number | undefined, own: number | undefined): string {
  return value === undefined || own === undefined ? text : `${text} (${(value / own).toFixed(1)})`;
}
