import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const keyListCommand: Command = command({
  group: 'key',
  syntax: 'list',
  describe: 'List the passphrases and key files that open the vault',
  examples: [['vhdvault key list', 'Since when, and which one opened the vault now']],
  positionals: {},
  options: vaultOptions,
  run: async (args, run) => {
    const { keysText } = await import('../../report/key-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/key-job.ts') },
      ({ listKeys }, session, { signal }) => listKeys(session, { signal }),
    );
    return { result, text: (look) => keysText(result, look) };
  },
});
