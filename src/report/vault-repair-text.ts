import type { RepairVaultResult } from '../jobs/vault-repair-types.ts';
import { findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText } from './quantity.ts';
import { remarkLines } from './remarks.ts';

export function vaultRepairText(result: RepairVaultResult, look: Look): string {
  return [
    ...result.actions.flatMap(({ what, where }) => [`  ${oneLine(where)}`, `    ${oneLine(what)}`]),
    ...findingLines(look, result.findings),
    ...remarkLines(look, result.warnings),
    doneLine(result, look),
  ].join('\n');
}

function doneLine({ actions, dryRun, ok }: RepairVaultResult, look: Look): string {
  const count = countText(actions.length, 'action');
  if (dryRun && actions.length > 0) return `dry run: ${count} would be taken, nothing was written`;
  if (!ok) return paint(look, 'red', `${count} taken; damage is left that repair cannot deal with`);
  if (actions.length === 0) return paint(look, 'green', 'nothing to repair: nothing was written');
  return paint(look, 'green', `${count} taken`);
}
