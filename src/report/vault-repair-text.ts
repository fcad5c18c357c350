import type { RepairVaultResult, VaultRepairAction } from '../jobs/vault-repair-types.ts';
import { findingLines } from './finding-lines.ts';
import { type Look, paint } from './look.ts';
import { oneLine } from './printable.ts';
import { countText } from './quantity.ts';
import { remarkLines } from './remarks.ts';

export function vaultRepairText(result: RepairVaultResult, look: Look): string {
  return [
    ...oneForFolders(result.actions).flatMap(({ what, where }) => [`  ${oneLine(where)}`, `    ${oneLine(what)}`]),
    ...findingLines(look, result.findings),
    ...remarkLines(look, result.warnings),
    doneLine(result, look),
  ].join('\n');
}

const MOST_FOLDERS = 5;

/** A copy without empty folders lacks hundreds. */
function oneForFolders(actions: readonly VaultRepairAction[]): readonly VaultRepairAction[] {
  const folders = actions.filter(({ action }) => action === 'make-folder').map(({ where }) => where);
  if (folders.length < 2) return actions;
  const more = folders.length - MOST_FOLDERS;
  const where = folders.slice(0, MOST_FOLDERS).join(', ') + (more > 0 ? ` and ${more} more` : '');
  const all: VaultRepairAction = { action: 'make-folder', what: 'the folders were missing', where };
  return [all, ...actions.filter(({ action }) => action !== 'make-folder')];
}

function doneLine({ actions, dryRun, ok }: RepairVaultResult, look: Look): string {
  const count = countText(oneForFolders(actions).length, 'action');
  if (dryRun && actions.length > 0) return `dry run: ${count} would be taken, nothing was written`;
  if (!ok) return paint(look, 'red', `${count} taken; damage is left that repair cannot deal with`);
  if (actions.length === 0) return paint(look, 'green', 'nothing to repair: nothing was written');
  return paint(look, 'green', `${count} taken`);
}
