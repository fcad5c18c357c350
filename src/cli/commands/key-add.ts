import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { newSecretOf, newSecretOptions } from '../new-secret.ts';
import { vaultOptions } from '../options.ts';

export const keyAddCommand: Command = command({
  group: 'key',
  syntax: 'add',
  describe: 'Let another passphrase or key file open the vault too',
  examples: [
    ['vhdvault key add --label safe', 'A passphrase that is asked for, for the sealed envelope'],
    ['vhdvault key add --new-key-file /root/vault.key --label cron', 'A key file, for a machine'],
  ],
  positionals: {},
  options: { ...newSecretOptions, ...vaultOptions } as const,
  run: async (args, run) => {
    const newSecret = await newSecretOf(args, run);
    const { keyChangeText } = await import('../../report/key-text.ts');
    const label = args.label === undefined ? {} : { label: args.label };
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/key-job.ts') },
      async ({ addKey }, session, { signal }) => addKey(session, { ...(await newSecret()), ...label, signal }),
    );
    return { result, text: (look) => keyChangeText(result, look) };
  },
});
