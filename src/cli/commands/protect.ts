import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { clockOptions, vaultOptions } from '../options.ts';

export const protectCommand: Command = command({
  syntax: 'protect',
  describe: 'Set how old points must be before they can be forgotten; without an option, tell what is in force',
  examples: [
    ['vhdvault protect --min-retention 30d', 'From now on, and not to be lowered for 30 days'],
    ['vhdvault protect', 'What is in force'],
  ],
  positionals: {},
  options: {
    'min-retention': {
      type: 'string',
      requiresArg: true,
      describe: 'The least age: 30d, 48h. It can always be raised, and lowered only after it has run out',
    },
    ...vaultOptions,
    ...clockOptions,
  } as const,
  run: async (args, run) => {
    const job = await import('../../jobs/protect-job.ts');
    const { protectText } = await import('../../report/protect-text.ts');
    const minRetention = args['min-retention'];
    if (minRetention !== undefined) job.millisecondsOf(minRetention);
    const options = { acceptClock: args['accept-clock'] ?? false, ...(minRetention !== undefined && { minRetention }) };
    const result = await inVault(args, run, { load: async () => job }, ({ protect }, session, { signal }) =>
      protect(session, { ...options, signal }),
    );
    return { result, text: (look) => protectText(result, look) };
  },
});
