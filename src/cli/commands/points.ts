import { checkName } from '../../base/names.ts';
import { type Command, command } from '../command.ts';
import { inVault } from '../in-vault.ts';
import { vaultOptions } from '../options.ts';

export const pointsCommand: Command = command({
  syntax: 'points [item]',
  describe: 'List recovery points, newest last',
  examples: [
    ['vhdvault points', 'All points of the vault'],
    ['vhdvault points web01 --json', 'Those of one item, for a program'],
    ['vhdvault points --tag monthly', 'Those with a tag'],
    ['vhdvault points --forgotten', 'What can be brought back'],
  ],
  positionals: { item: { type: 'string', describe: 'Only the points of this item' } } as const,
  options: {
    tag: {
      type: 'string',
      array: true,
      requiresArg: true,
      describe: 'Only points with this tag (repeat for more: all must be there)',
    },
    forgotten: { type: 'boolean', describe: 'Those that were forgotten, and until when they can be brought back' },
    ...vaultOptions,
  } as const,
  run: async (args, run) => {
    const item = args.item === undefined ? undefined : checkName('item', args.item);
    const forgotten = args.forgotten ?? false;
    return await inVault(
      args,
      run,
      { load: () => Promise.all([import('../../jobs/points.ts'), import('../../report/points-text.ts')]) },
      async ([{ points }, { pointsText }], session) => {
        const result = await points(session, item, { tags: args.tag ?? [], forgotten });
        return { result, text: (look) => pointsText(result, look, forgotten ? 'no forgotten points' : 'no points') };
      },
    );
  },
});
