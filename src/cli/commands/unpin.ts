import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const unpinCommand: Command = command({
  syntax: 'unpin <ref>',
  describe: 'Take the pin of a recovery point away: from now on it may be forgotten',
  examples: [['vhdvault unpin web01@p9c1fa2b', 'A point that need not be kept any more']],
  positionals: {
    ref: { type: 'string', demandOption: true, describe: 'ITEM, ITEM@latest, ITEM@ID or ITEM@TIME' },
  } as const,
  options: vaultOptions,
  run: async (args, run) => {
    const { pinText } = await import('../../report/pin-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/pin-job.ts') },
      ({ unpin }, session, { signal }) => unpin(session, args.ref, { signal }),
    );
    return { result, text: (look) => pinText(result, look) };
  },
});
