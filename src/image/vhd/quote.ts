/** Plain names as they are, others in single quotes: hints are made to be copied into a shell. */
export function quote(path: string): string {
  return /^[\w./\\:+,@=-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`;
}
