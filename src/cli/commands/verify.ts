import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, rateOptions, vaultOptions } from '../options.ts';
import { parsePercent, rateOf } from '../parse-value.ts';

export const verifyCommand: Command = command({
  syntax: 'verify [ref]',
  describe: 'Check that the vault is whole; writes nothing to it',
  examples: [
    ['vhdvault verify', 'The structure of everything'],
    ['vhdvault verify --sample 10%', 'And a tenth of the data: the next time the next tenth'],
    ['vhdvault verify web01@latest --read-data', 'Every byte of one point'],
  ],
  positionals: {
    ref: { type: 'string', describe: 'Only this point: ITEM, ITEM@latest, ITEM@ID or ITEM@TIME; default: all' },
  } as const,
  options: {
    'read-data': { type: 'boolean', describe: 'Read, decrypt and compare every block, not only the structure' },
    sample: {
      type: 'string',
      requiresArg: true,
      describe: 'The same for a share of the data, as 10%; the next sample goes on where this one ends',
    },
    ...rateOptions,
    ...vaultOptions,
    ...progressOptions,
  } as const,
  run: async (args, run) => {
    const sample = args.sample === undefined ? {} : { sample: parsePercent('--sample', args.sample) };
    return await inVault(
      args,
      run,
      {
        ...((args['read-data'] || args.sample !== undefined) && { worker: 'check-packs' }),
        load: () => Promise.all([import('../../jobs/verify-job.ts'), import('../../report/verify-text.ts')]),
      },
      async ([{ verify }, { verifyText }], session, watch) => {
        const result = await verify(session, {
          ...watch,
          ...sample,
          ...rateOf(args),
          ...(args.ref === undefined ? {} : { ref: args.ref }),
          readData: args['read-data'] ?? false,
        });
        return { result, text: (look) => verifyText(result, look) };
      },
    );
  },
});
