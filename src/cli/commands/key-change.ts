import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { newSecretOf, newSecretOptions } from '../new-secret.ts';
import { vaultOptions } from '../options.ts';

export const keyChangeCommand: Command = command({
  group: 'key',
  syntax: 'change',
  describe: 'Put a new passphrase or key file in the place of the one that opens the vault now',
  examples: [
    ['vhdvault key change', 'The old one opens nothing any more afterwards'],
    ['vhdvault key change --slot cron --new-key-file /root/new.key', 'In the place of another one'],
  ],
  positionals: {},
  options: {
    slot: {
      type: 'string',
      requiresArg: true,
      describe: 'The slot to replace, by name or label; default: the one that opens the vault now',
    },
    ...newSecretOptions,
    ...vaultOptions,
  } as const,
  run: async (args, run) => {
    const newSecret = await newSecretOf(args, run);
    const { keyChangeText } = await import('../../report/key-text.ts');
    const options = {
      ...(args.label === undefined ? {} : { label: args.label }),
      ...(args.slot === undefined ? {} : { slot: args.slot }),
    };
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/key-job.ts') },
      async ({ changeKey }, session, { signal }) => changeKey(session, { ...(await newSecret()), ...options, signal }),
    );
    return { result, text: (look) => keyChangeText(result, look) };
  },
});
