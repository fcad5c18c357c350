import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, vaultOptions } from '../options.ts';

export const statsCommand: Command = command({
  syntax: 'stats',
  describe: 'Tell what the vault holds and saves',
  examples: [['vhdvault stats --vault /srv/vault', 'Sizes, savings, and what takes the space']],
  positionals: {},
  options: { ...vaultOptions, ...progressOptions } as const,
  run: async (args, run) => {
    const { statsText } = await import('../../report/stats-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/stats.ts') },
      ({ stats }, session, watch) => stats(session, watch),
    );
    return { result, text: (look) => statsText(result, look) };
  },
});
