import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, vaultOptions } from '../options.ts';

export const verifyCommand: Command = command({
  syntax: 'verify [ref]',
  describe: 'Check that the vault is whole; writes nothing to it',
  examples: [
    ['vhdvault verify', 'The structure of everything'],
    ['vhdvault verify web01@latest --read-data', 'Every byte of one point'],
  ],
  positionals: {
    ref: { type: 'string', describe: 'Only this point: ITEM, ITEM@latest, ITEM@ID or ITEM@TIME; default: all' },
  } as const,
  options: {
    'read-data': { type: 'boolean', describe: 'Read, decrypt and compare every block, not only the structure' },
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const { verify } = await import('../../jobs/verify-job.ts');
    const { verifyText } = await import('../../report/verify-text.ts');
    const result = await inVault(args, run, (session, watch) =>
      verify(session, {
        ...watch,
        ...(args.ref === undefined ? {} : { ref: args.ref }),
        readData: args['read-data'] ?? false,
      }),
    );
    return { result, text: (look) => verifyText(result, look) };
  },
});
