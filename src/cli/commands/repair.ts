import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, vaultOptions } from '../options.ts';

export const repairCommand: Command = command({
  syntax: 'repair',
  describe:
    'Make a damaged vault one to work with: quarantine bad packs, rebuild the index, make folders that a copy left out; deletes nothing',
  examples: [
    ['vhdvault repair --dry-run', 'Read everything, and only say what would be done'],
    ['vhdvault repair', 'Then back the items up: what their disks still hold is stored again'],
  ],
  positionals: {} as const,
  options: {
    'dry-run': { type: 'boolean', describe: 'Only say what would be done' },
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const { vaultRepairText } = await import('../../report/vault-repair-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/vault-repair-job.ts') },
      ({ repairVault }, session, watch) => repairVault(session, { ...watch, dryRun: args['dry-run'] ?? false }),
    );
    return { result, text: (look) => vaultRepairText(result, look) };
  },
});
