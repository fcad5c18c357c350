import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { progressOptions, vaultOptions } from '../options.ts';

export const showCommand: Command = command({
  syntax: 'show <ref>',
  describe: 'Tell all about one recovery point, also what only it holds',
  examples: [
    ['vhdvault show web01', 'The latest point of an item'],
    ['vhdvault show web01@2026-11-20T10:00', 'The newest point at or before a time'],
  ],
  positionals: {
    ref: {
      type: 'string',
      demandOption: true,
      describe: 'ITEM, ITEM@latest, ITEM@ID (or the beginning of an id) or ITEM@TIME (YYYY-MM-DD[Thh:mm[:ss][Z]])',
    },
  } as const,
  options: { ...vaultOptions, ...progressOptions } as const,
  run: async (args, run) => {
    const { showText } = await import('../../report/show-text.ts');
    const result = await inVault(
      args,
      run,
      { load: () => import('../../jobs/points.ts') },
      ({ show }, session, watch) => show(session, args.ref, watch),
    );
    return { result, text: (look) => showText(result, look) };
  },
});
