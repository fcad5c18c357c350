import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const keyRemoveCommand: Command = command({
  group: 'key',
  syntax: 'remove <slot>',
  describe: 'Let a passphrase or key file open the vault no more; never the last one',
  examples: [
    ['vhdvault key remove cron', 'The one with this label'],
    ['vhdvault key remove 3f2a', 'The one whose name begins so'],
  ],
  positionals: {
    slot: {
      type: 'string',
      demandOption: true,
      describe: 'Its name, label, or the beginning of its name: `vhdvault key list`',
    },
  } as const,
  options: {
    ...vaultOptions,
    force: { type: 'boolean', describe: 'Also what opens the vault now' },
  } as const,
  run: async (args, run) => {
    const { keyChangeText } = await import('../../report/key-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/key-job.ts') },
      ({ removeKey }, session, { signal }) => removeKey(session, args.slot, { signal, force: args.force ?? false }),
    );
    return { result, text: (look) => keyChangeText(result, look) };
  },
});
