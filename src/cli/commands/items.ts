import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const itemsCommand: Command = command({
  syntax: 'items',
  describe: 'List what the vault protects, with the latest point of each',
  examples: [['vhdvault items --vault /srv/vault', 'The items of a vault']],
  positionals: {},
  options: vaultOptions,
  run: async (args, run) => {
    const { itemsText } = await import('../../report/items-text.ts');
    const result = await inVault(args, run, { load: () => import('../../jobs/points.ts') }, ({ items }, session) =>
      items(session),
    );
    return { result, text: (look) => itemsText(result, look) };
  },
});
