import { verdictLine } from './check-text.ts';
import { type AnyFinding, findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText } from './quantity.ts';
import { tableLines } from './table.ts';

/** What `vhd repair` tells. */
export interface RepairReport {
  path: string;
  /** Of the metadata as they were; null where nothing was changed. */
  copy: string | null;
  actions: readonly { what: string; offset: number; length: number }[];
  /** What is left. */
  findings: readonly AnyFinding[];
  dryRun: boolean;
  ok: boolean;
}

export function repairText(result: RepairReport, look: Look): string {
  const { path, copy, actions, findings } = result;
  return [
    paint(look, 'bold', oneLine(path)),
    ...(copy === null ? [] : [oneLine(`  the metadata as they were: ${copy}`)]),
    ...tableLines(
      actions.map(({ what, offset, length }) => [`at ${offset}`, countText(length, 'byte'), what]),
      { align: 'rrl', indent: 2 },
    ),
    ...findingLines(look, findings),
    doneLine(result, look),
    verdictLine(findings, look),
  ].join('\n');
}

function doneLine({ actions, dryRun }: RepairReport, look: Look): string {
  if (actions.length === 0) return 'nothing to repair: nothing was written';
  const count = countText(actions.length, 'change');
  return dryRun ? `dry run: ${count} would be made, nothing was written` : paint(look, 'green', `${count} made`);
}
