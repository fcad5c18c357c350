import { type AnyFinding, findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText } from './quantity.ts';

/** What `vhd check` tells. */
export interface CheckReport {
  path: string;
  ok: boolean;
  findings: readonly AnyFinding[];
}

export function checkText({ path, findings }: CheckReport, look: Look): string {
  return [paint(look, 'bold', oneLine(path)), ...findingLines(look, findings), verdictLine(findings, look)].join('\n');
}

/** The last line of all that was checked. */
export function verdictLine(findings: readonly AnyFinding[], look: Look): string {
  const count = (severity: string): number => findings.filter((finding) => finding.severity === severity).length;
  const [damage, warnings] = [count('damage'), count('warning')];
  if (damage > 0) return paint(look, 'red', `DAMAGE FOUND: ${countText(damage, 'finding')}`);
  const found = paint(look, 'green', 'no damage found');
  return warnings > 0 ? `${found}, ${countText(warnings, 'warning')}` : found;
}
