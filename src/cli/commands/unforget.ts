import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const unforgetCommand: Command = command({
  syntax: 'unforget <ref..>',
  describe: 'Bring forgotten points back, as long as gc has not freed them',
  examples: [
    ['vhdvault unforget web01@p9c1fa2b', 'One point; `vhdvault points --forgotten` lists what there is'],
    ['vhdvault unforget web01', 'The newest forgotten one of an item'],
  ],
  positionals: {
    ref: {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'ITEM@ID; ITEM is its newest forgotten point, ITEM@TIME the newest one at or before it',
    },
  } as const,
  options: vaultOptions,
  run: async (args, run) => {
    const { unforgetText } = await import('../../report/forget-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/unforget-job.ts') },
      ({ unforget }, session, { signal }) => unforget(session, args.ref, { signal }),
    );
    return { result, text: (look) => unforgetText(result, look) };
  },
});
